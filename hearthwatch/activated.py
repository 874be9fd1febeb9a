"""Which policy and catalogue hold: those that were activated; before any was, those of the settings."""

from __future__ import annotations

from hearthwatch.connections import kafka_connection
from hearthwatch.running import in_force
from hearthwatch.settings import Settings
from hearthwatch.worker_config import catalog_and_policy
from rules.policy import Policy
from rules.rulebook import Rulebook
from streams.catalog import Catalog
from streams.policies_topic import read_activations


def rulebook(settings: Settings) -> Rulebook:
    """Everything that was activated; the files of the running workers, or of the settings, where nothing was.

    Raises:
        TransportError: no broker answers.
    """
    found = read_activations(kafka_connection(settings))
    if found:
        return Rulebook(found)
    return Rulebook.of_files(*catalog_and_policy(in_force(settings)))


def activated(settings: Settings) -> tuple[Catalog, Policy]:
    """Catalogue and policy of the newest activation; raises as :func:`rulebook`."""
    book = rulebook(settings)
    return book.files(book.newest)
