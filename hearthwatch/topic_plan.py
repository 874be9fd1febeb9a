"""The topics that settings and a catalogue ask for."""

from __future__ import annotations

from hearthwatch.settings import Settings
from streams import topics
from streams.catalog import Catalog
from streams.topics import Topic


def planned_topics(settings: Settings, catalog: Catalog) -> tuple[Topic, ...]:
    """Every topic, in the order of the flow, with the settings that the design needs of it."""
    return topics.planned(
        catalog,
        clock=settings.clock,
        life_partitions=settings.life_partitions,
        person_partitions=settings.person_partitions,
        household_partitions=settings.household_partitions,
        warnings_partitions=settings.warnings_partitions,
        case_partitions=settings.case_partitions,
        alerts_partitions=settings.alerts_partitions,
        replication=settings.replication_factor,
        life_retention_days=settings.life_retention_days,
        log_retention_days=settings.log_retention_days,
    )
