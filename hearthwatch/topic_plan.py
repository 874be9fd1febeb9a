"""The topics that settings and a catalogue ask for."""

from __future__ import annotations

from typing import Final

from hearthwatch.settings import Settings
from streams import topics
from streams.catalog import Catalog
from streams.records import (
    ALERT_EVENTS,
    ALERTS,
    CASE_COMMANDS,
    CASE_EVENTS,
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    WARNINGS,
)
from streams.snapshots import snapshot_topic
from streams.topics import LIFE, Topic

_COUNTED_BY: Final = {
    PERSON_EVENTS: "person",
    snapshot_topic("person"): "person",
    HOUSEHOLD_FACTS: "household",
    snapshot_topic("household"): "household",
    WARNINGS: "warnings",
    CASE_COMMANDS: "case",
    CASE_EVENTS: "case",
    ALERT_EVENTS: "case",
    snapshot_topic("cases"): "case",
    ALERTS: "alerts",
    snapshot_topic("dispatch"): "alerts",
}


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


def partitions_setting(topic: str) -> str | None:
    """The environment variable that says how many partitions a topic has; None where none does."""
    name = "life" if topic.startswith(LIFE) else _COUNTED_BY.get(topic)
    return None if name is None else f"HEARTHWATCH_{name.upper()}_PARTITIONS"


def leads(topic: str) -> bool:
    """Whether a setting is about this topic first, and the others of it only follow."""
    return topic.startswith(LIFE) or topic == WARNINGS or is_laid_out(topic)


def is_laid_out(topic: str) -> bool:
    """Whether states lie by the number of partitions: it is a stage's own log, keyed by whose they are."""
    return topic in (PERSON_EVENTS, HOUSEHOLD_FACTS, CASE_COMMANDS, ALERTS)
