"""The files that workers will go by, checked before anything is started."""

from __future__ import annotations

from casework.alerts.routes_file import read_routes
from hearthwatch.activated import activated
from hearthwatch.casework_files import casebook_or_why
from hearthwatch.connections import local_stack, uses_local_kafka
from hearthwatch.settings import Settings
from hearthwatch.tokens import read_tokens
from hearthwatch.worker_config import catalog_and_policy
from rules.policy import Policy
from streams.catalog import Catalog
from streams.errors import Fault, FileFaults, InputError, TransportError


def check_files(settings: Settings) -> tuple[Catalog, Policy]:
    """Read catalogue, policy, book of cases, measures, routes and tokens; the first two are returned.

    The others are checked against what is activated where a broker answers already, and otherwise against the
    settings' own catalogue and policy, which a first start activates.

    Raises:
        InputError: one cannot be read, or is faulty: all faults of all files that could be read.
    """
    files = catalog_and_policy(settings)
    catalog, policy = _in_force(settings) or files
    faults: list[Fault] = []
    others: list[InputError] = []

    def found(error: InputError) -> None:
        if isinstance(error, FileFaults):
            faults.extend(error.faults)
        else:
            others.append(error)

    try:
        casebook_or_why(settings, catalog, policy)
    except InputError as error:
        found(error)
    if settings.routes is not None:
        try:
            read_routes(settings.routes, policy)
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
    return files


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
