"""The files that workers will go by, checked before anything is started, as far as that can be."""

from __future__ import annotations

from dataclasses import dataclass

from casework.alerts.routes_file import read_routes
from hearthwatch.activated import activated
from hearthwatch.casework_files import casebook_or_why
from hearthwatch.connections import local_stack, uses_local_kafka
from hearthwatch.settings import Settings
from hearthwatch.tokens import read_tokens
from hearthwatch.worker_config import catalog_and_policy
from rules.policy import Policy
from rules.rulebook import Rulebook
from streams.catalog import Catalog
from streams.errors import Fault, FileFaults, InputError, TransportError


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found good before anything was started.

    Attributes:
        files: catalogue and policy of the settings.
        others: the catalogue and policy against which the files of casework and the routes were checked; None
            where it can be known only by the running broker (:func:`check_others`).
    """

    files: tuple[Catalog, Policy]
    others: tuple[Catalog, Policy] | None


def check_files(settings: Settings) -> Checked:
    """Read catalogue, policy, book of cases, measures, routes and tokens.

    Book, measures and routes are checked against what is activated where a broker answers already; where
    there is no data yet against the settings' own catalogue and policy, which a first start activates. Where
    there is data, and its broker is only to be started, they have to wait for that.

    Raises:
        InputError: one cannot be read, or is faulty: all faults of all files that could be read.
    """
    files = catalog_and_policy(settings)
    others = _in_force(settings)
    if others is None and not _has_data(settings):
        others = files
    _check(settings, others)
    return Checked(files, others)


def check_others(settings: Settings, book: Rulebook, checked: Checked) -> None:
    """Check book, measures and routes against what is activated, if they were against something else.

    Raises:
        InputError: as :func:`check_files`.
    """
    newest = book.files(book.newest)
    if checked.others is None or _digests(checked.others) != _digests(newest):
        _check(settings, newest)


def _digests(files: tuple[Catalog, Policy]) -> tuple[str, str]:
    return files[0].digest, files[1].digest


def _check(settings: Settings, against: tuple[Catalog, Policy] | None) -> None:
    faults: list[Fault] = []
    others: list[InputError] = []

    def found(error: InputError) -> None:
        if isinstance(error, FileFaults):
            faults.extend(error.faults)
        else:
            others.append(error)

    if against is not None:
        try:
            casebook_or_why(settings, *against)
        except InputError as error:
            found(error)
    if against is not None and settings.routes is not None:
        try:
            read_routes(settings.routes, against[1])
        except InputError as error:
            found(error)
    if settings.tokens is not None:
        try:
            read_tokens(settings.tokens)
        except InputError as error:
            found(error)
    if others:  # what cannot be read at all comes before what is wrong in the rest
        raise InputError("\n".join([*map(str, others), *map(str, sorted(faults))]))
    if faults:
        raise FileFaults(faults)


def _has_data(settings: Settings) -> bool:
    """Whether something may have been activated: a broker that is not ours always may have that."""
    return not uses_local_kafka(settings) or local_stack(settings).kafka.has_data


def _in_force(settings: Settings) -> tuple[Catalog, Policy] | None:
    """What is activated, if a broker can say so now; one that is only to be started is not waited for."""
    if uses_local_kafka(settings):
        kafka = next(one for one in local_stack(settings).status() if one.name == "kafka")
        if kafka.state != "running":
            return None
    try:
        return activated(settings)
    except TransportError:
        return None
