"""From settings to what a worker needs (``agents.app.WorkerConfig``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hearthwatch.connections import kafka_arguments, redis_home
from hearthwatch.running import founded
from hearthwatch.settings import Settings
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog

if TYPE_CHECKING:  # it loads Faust, which takes half a second
    from agents.app import WorkerConfig


def catalog_and_policy(settings: Settings) -> tuple[Catalog, Policy]:
    """Both files of the settings, checked.

    Raises:
        InputError: one cannot be read, or is faulty (all its faults).
    """
    catalog = read_catalog(settings.catalog)
    return catalog, read_policy(settings.policy, catalog)


def worker_config(
    settings: Settings, *, name: str, is_static: bool, metrics_port: int | None
) -> WorkerConfig:
    """What the settings say to a worker, and what has been activated.

    The settings' catalogue and policy are read only where nothing was activated yet: later they need not be
    there.

    Args:
        is_static: the name is the same at each start and nobody else's, so the brokers may take a restart
            for a pause.

    Raises:
        InputError: a setting is faulty; or a file that would be activated first is.
        LedgerError: what is activated is beyond this program, or other files made the data.
        TransportError: a server does not answer.
    """
    from agents.app import WorkerConfig

    book = founded(settings, lambda: catalog_and_policy(settings))
    catalog, policy = book.files(book.newest)
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
    )
