"""The rulebook: the rules of every activation, by number, compiled when they are first asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from rules.compile import Rules, compile_policy
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.errors import InputError
from streams.policies import Activation, NotUnderstoodError


class Rulebook:
    """Activations and what they mean; grows, and never changes what it has.

    Attributes:
        newest: the greatest number.
    """

    def __init__(self, activations: Iterable[Activation]) -> None:
        self._activations: dict[int, Activation] = {}
        self._files: dict[int, tuple[Catalog, Policy]] = {}
        self._rules: dict[int, Rules] = {}
        self.newest = 0
        for one in activations:
            self.add(one)

    @classmethod
    def fixed(cls, rules: Rules) -> Self:
        """Rules that are number 1, and stay."""
        book = cls(())
        book._rules[1] = rules
        book.newest = 1
        return book

    @classmethod
    def of_files(cls, catalog: Catalog, policy: Policy) -> Self:
        """Files that are number 1 where nothing was activated."""
        book = cls(())
        book._files[1] = catalog, policy
        book.newest = 1
        return book

    def add(self, activation: Activation) -> None:
        """Take in one more."""
        self._activations[activation.number] = activation
        self.newest = max(self.newest, activation.number)

    def __contains__(self, number: int) -> bool:
        return number in self._activations or number in self._rules or number in self._files

    @property
    def activations(self) -> list[Activation]:
        """All, ascending by number."""
        return [self._activations[number] for number in sorted(self._activations)]

    def after(self, number: int) -> list[Activation]:
        """Those with a greater number, ascending."""
        return [one for one in self.activations if one.number > number]

    def get(self, number: int) -> Activation | None:
        """One, or None."""
        return self._activations.get(number)

    def files(self, number: int) -> tuple[Catalog, Policy]:
        """Catalogue and policy of an activation.

        Raises:
            NotUnderstoodError: this program cannot read them.
            KeyError: there is no such activation.
        """
        known = self._files.get(number)
        if known is None:
            one = self._activations[number]
            one.check_language()
            try:
                catalog = read_catalog(one.files.catalog_name, one.files.catalog)
                known = catalog, read_policy(one.files.policy_name, catalog, one.files.policy)
            except InputError as error:
                raise NotUnderstoodError(
                    f"activation {number} is beyond this program, run the one that activated it: {error}"
                ) from error
            self._files[number] = known
        return known

    def rules(self, number: int) -> Rules:
        """The compiled rules of an activation; raises as :meth:`files`."""
        known = self._rules.get(number)
        if known is None:
            catalog, policy = self.files(number)
            known = self._rules[number] = compile_policy(policy, catalog)
        return known

    def catalog(self, number: int) -> Catalog:
        """The catalogue of an activation; raises as :meth:`files`."""
        return self.files(number)[0]
