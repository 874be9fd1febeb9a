"""The files of casework that the settings name: book of cases, catalogue of assistance, routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hearthwatch.settings import Settings
from rules.policy import Policy
from streams.catalog import Catalog
from streams.errors import InputError

if TYPE_CHECKING:  # what only shows a case needs none of its files
    from casework.alerts.routes import Routes
    from casework.cases.book import Book

#: Of a district's addresses hundreds may be missing; these are named, and how to see all.
_MOST_NAMED: Final = 3


def casebook(settings: Settings, catalog: Catalog, policy: Policy) -> Book:
    """The book of cases with the words of the catalogue of assistance, checked against what is activated.

    Raises:
        InputError: a file cannot be read, or is faulty (all its faults), or they do not fit together.
    """
    from casework.assistance.measures_file import read_assistance
    from casework.cases.book_file import read_book

    book = read_book(settings.casebook, catalog=catalog, policy=policy)
    return book.with_assistance(read_assistance(settings.measures, policy, catalog))


def casebook_or_why(settings: Settings, catalog: Catalog, policy: Policy) -> Book | str:
    """The book; or, where nobody chose the files and those shipped do not fit this policy, a line on it.

    Raises:
        InputError: as :func:`casebook`, where one of the files was chosen.
    """
    try:
        return casebook(settings, catalog, policy)
    except InputError:
        if is_chosen(settings):
            raise
        return (
            f"No cases are worked: the shipped book of cases does not fit the policy {policy.id} and the"
            f" catalogue {catalog.id}. HEARTHWATCH_CASEBOOK and HEARTHWATCH_MEASURES name others"
            ' (docs/reference/cases.md, "The book").'
        )


def unset_addresses(settings: Settings, routes: Routes, environment: Mapping[str, str]) -> list[str]:
    """What the routes need and an environment lacks, a line each: the first few, and how many more."""
    from agents.channels.secrets import missing

    lines = missing(routes, environment)
    more = len(lines) - _MOST_NAMED
    if more <= 1:
        return lines
    return [
        *lines[:_MOST_NAMED],
        f"and {more} more: `hearthwatch routes check {settings.routes} --secrets` names them all",
    ]


def is_chosen(settings: Settings) -> bool:
    """Whether the settings name files of their own."""
    fields = type(settings).model_fields
    return any(getattr(settings, name) != fields[name].default for name in ("casebook", "measures"))
