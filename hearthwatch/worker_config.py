"""From settings to what a worker needs (``agents.app.WorkerConfig``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from casework.alerts.routes_file import read_routes
from hearthwatch.casework_files import casebook, casebook_or_why
from hearthwatch.connections import kafka_arguments, redis_home
from hearthwatch.running import founded
from hearthwatch.settings import Settings
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog

if TYPE_CHECKING:  # it loads Faust, which takes half a second
    from agents.app import WorkerConfig
    from casework.cases.book import Book


def catalog_and_policy(settings: Settings) -> tuple[Catalog, Policy]:
    """Both files of the settings, checked.

    Raises:
        InputError: one cannot be read, or is faulty (all its faults).
    """
    catalog = read_catalog(settings.catalog)
    return catalog, read_policy(settings.policy, catalog)


def worker_config(
    settings: Settings, *, name: str, is_static: bool, metrics_port: int | None, stage: str | None = None
) -> WorkerConfig:
    """What the settings say to a worker, and what has been activated.

    The settings' catalogue and policy are read only where nothing was activated yet: later they need not be
    there.

    Args:
        is_static: the name is the same at each start and nobody else's, so the brokers may take a restart
            for a pause.
        stage: whose files have to be there and fit; None: those that are and do are given.

    Raises:
        InputError: a setting is faulty; or a file that would be activated first is.
        LedgerError: what is activated is beyond this program, or other files made the data.
        TransportError: a server does not answer.
    """
    from agents.app import WorkerConfig

    book = founded(settings, lambda: catalog_and_policy(settings))
    catalog, policy = book.files(book.newest)
    cases: Book | str | None = None
    if stage == "cases":
        cases = casebook(settings, catalog, policy)
    elif stage is None:
        cases = casebook_or_why(settings, catalog, policy)
    routes = None
    if settings.routes is not None and stage in (None, "dispatch"):
        routes = read_routes(settings.routes, policy)
    return WorkerConfig(
        kafka=kafka_arguments(settings),
        redis=redis_home(settings),
        catalog=catalog,
        policy=policy,
        clock=settings.clock,
        namespace=settings.redis_namespace,
        worker=name,
        instance=name if is_static else None,
        metrics_host=settings.metrics_host,
        metrics_port=metrics_port,
        snapshot_seconds=settings.snapshot_seconds,
        snapshot_states=settings.snapshot_states,
        cache_bytes=settings.cache_megabytes * 1_048_576,
        activations=book.activations,
        casebook=None if isinstance(cases, str) else cases,
        routes=routes,
    )
