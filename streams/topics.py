"""The topics: what each is for, and the settings that the design needs of it.

`life.<department>` holds what departments sent, `person.events` and `household.facts` what the stages tell
each other, `warnings` and `deadletters` what comes out, `case.commands` what is to become of a warning,
`case.events` what became of it, `alerts` what people are told, `alert.events` what became of that,
`audit` who looked at what and changed it, `hearthwatch.ledger` what the ledger is, `hearthwatch.policies`
what it goes by, and `hearthwatch.snapshots.<stage>` what a rebuild begins with.

A topic that exists with other settings is named, never silently used: a wrong timestamp type or a retention
that is too short is found out only when days or records are already lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import kafka.errors
from kafka.admin import ConfigResource, ConfigResourceType

from streams import kafka_clients
from streams.audit import AUDIT, MAX_AUDIT_BYTES
from streams.catalog import Catalog
from streams.errors import TransportError
from streams.kafka_clients import Connection
from streams.policies import MAX_BYTES as MAX_POLICIES_BYTES
from streams.policies import POLICIES
from streams.records import (
    ALERT_EVENTS,
    ALERTS,
    CASE_COMMANDS,
    CASE_EVENTS,
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    WARNINGS,
)
from streams.snapshots import snapshot_topic

Clock = Literal["wall", "log"]

LIFE: Final = "life."
LEDGER: Final = "hearthwatch.ledger"

#: The largest record batch that the broker takes from a department (its own default).
MAX_RECORD_BYTES: Final = 1_048_588
#: A dead letter carries the whole record and five headers more, and it is not compressed, where the
#: department's batch may have been: far above MAX_RECORD_BYTES, below the broker's 100 MB for one request.
MAX_DEADLETTER_BYTES: Final = 33_554_432
#: A state with everything that waits for its persons; far above any that was seen.
MAX_SNAPSHOT_BYTES: Final = 33_554_432
_SNAPSHOT_SEGMENT_BYTES: Final = 67_108_864
_FOREVER: Final = "-1"
_NEVER: Final = "9223372036854775807"
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it has to be.

    Attributes:
        settings: Kafka's names and values of what must not be left to the broker's defaults.
        purpose: one line for people.
    """

    name: str
    partitions: int
    replication: int
    settings: dict[str, str]
    purpose: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of an existing topic that is not what the design needs."""

    setting: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as it is on the broker.

    Attributes:
        state: ``created`` just now, ``as-planned``, ``differs``, or ``missing``.
    """

    topic: Topic
    state: Literal["created", "as-planned", "differs", "missing"]
    partitions: int = 0
    differences: tuple[Difference, ...] = field(default=())

    @property
    def is_good(self) -> bool:
        """Whether the pipeline can use it."""
        return self.state in ("created", "as-planned")


def life_topic(department: str) -> str:
    """The topic of a department."""
    return LIFE + department


def planned(
    catalog: Catalog,
    *,
    clock: Clock,
    life_partitions: int = 4,
    person_partitions: int = 8,
    household_partitions: int = 8,
    warnings_partitions: int = 4,
    case_partitions: int = 4,
    alerts_partitions: int = 2,
    replication: int = 1,
    life_retention_days: int = 400,
    log_retention_days: int = 400,
) -> tuple[Topic, ...]:
    """Every topic that a catalogue and a clock need, in the order of the flow.

    Args:
        clock: in `wall` the broker stamps what departments send; in `log` their publisher does, with the
            events' own times, so nothing may be deleted, refused or rolled by age there.
        life_partitions: of each `life.*` topic.
        person_partitions, household_partitions, warnings_partitions: of the topics keyed by person or
            household. They cannot be changed by hand once there are records: a state lives on its key's
            partition (`hearthwatch repartition` does it for `person.events` and `household.facts`).
        case_partitions: of `case.commands`, `case.events` and `alert.events`, keyed by household;
            alerts_partitions: of `alerts`, keyed by district. They cannot be changed once there are records.
        life_retention_days: for `life.*` in `wall`; intake has passed a record on long before, but the
            original of one set aside as `internal-error` is read back from there.
        log_retention_days: for `person.events`, `household.facts`, `case.commands` and `alerts` in `wall`; a
            rebuild reads them from the latest snapshots on, which are minutes old.
    """
    safe = {"min.insync.replicas": "2" if replication >= 3 else "1"}
    stamped = {"message.timestamp.type": "LogAppendTime"}
    by_publisher = {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.after.max.ms": _NEVER,
        "message.timestamp.before.max.ms": _NEVER,
        "segment.ms": _NEVER,
    }
    kept = {"cleanup.policy": "delete", "retention.ms": _FOREVER, "retention.bytes": _FOREVER}
    if clock == "wall":
        life = {**kept, **stamped, "retention.ms": str(life_retention_days * _DAY_MS)}
    else:
        life = {**kept, **by_publisher}
    life = {**life, "max.message.bytes": str(MAX_RECORD_BYTES), **safe}
    hop = {**kept, **stamped, **safe}
    days = {"retention.ms": str(log_retention_days * _DAY_MS)}
    log = hop if clock == "log" else {**hop, **days}
    # Deadlines pass by a record's own time: in `log` that is the time that is played.
    timed = {**kept, **by_publisher, **safe} if clock == "log" else log
    snapshots = {
        "cleanup.policy": "compact",
        # Only closed segments are compacted, and a rebuild reads what is not.
        "segment.bytes": str(_SNAPSHOT_SEGMENT_BYTES),
        "segment.ms": str(_DAY_MS),
        # A worker that has lost its partition may write a state late: until then the later one stays.
        "min.compaction.lag.ms": str(_HOUR_MS),
        "max.message.bytes": str(MAX_SNAPSHOT_BYTES),
        **stamped,
        **safe,
    }

    def topic(name: str, count: int, settings: dict[str, str], purpose: str) -> Topic:
        return Topic(name, count, replication, settings, purpose)

    return (
        *(
            topic(life_topic(name), life_partitions, life, f"sent by {department.title.get('en', name)}")
            for name, department in catalog.departments.items()
        ),
        topic(PERSON_EVENTS, person_partitions, log, "accepted events by person; the person step's log"),
        topic(
            HOUSEHOLD_FACTS,
            household_partitions,
            log,
            "facts, moves, ticks by household; the household step's log",
        ),
        topic(WARNINGS, warnings_partitions, hop, "warnings by household"),
        topic(
            CASE_COMMANDS,
            case_partitions,
            timed,
            "warnings passed on, commands of staff, ticks by household; the cases step's log",
        ),
        topic(CASE_EVENTS, case_partitions, hop, "what became of cases, by household: the record"),
        topic(ALERTS, alerts_partitions, timed, "what people are told, by district; the dispatch step's log"),
        topic(ALERT_EVENTS, case_partitions, hop, "what became of alerts, by household: the record"),
        topic(
            AUDIT,
            1,  # its offsets have no gaps, and the chain has one order
            {**hop, "max.message.bytes": str(MAX_AUDIT_BYTES)},
            "who read or changed what; each record holds the hash of the one before",
        ),
        topic(
            DEADLETTERS,
            1,
            {**hop, "max.message.bytes": str(MAX_DEADLETTER_BYTES)},
            "rejected events, byte for byte, with their reason",
        ),
        topic(
            LEDGER,
            1,
            {"cleanup.policy": "compact", **safe},
            "what the ledger is and which partitions have started",
        ),
        topic(
            POLICIES,
            1,
            {
                **kept,
                **(stamped if clock == "wall" else by_publisher),
                "max.message.bytes": str(MAX_POLICIES_BYTES + 65_536),
                **safe,
            },
            "activated policies with their catalogues, numbered",
        ),
        topic(snapshot_topic("intake"), 1, snapshots, "how far intake was in each `life.*` partition"),
        topic(snapshot_topic("person"), person_partitions, snapshots, "what the registry says of persons"),
        topic(snapshot_topic("household"), household_partitions, snapshots, "states of households"),
        topic(snapshot_topic("forward"), 1, snapshots, "how far warnings were passed on"),
        topic(snapshot_topic("cases"), case_partitions, snapshots, "states of cases"),
        topic(snapshot_topic("dispatch"), alerts_partitions, snapshots, "states of alerts"),
    )


def describe(connection: Connection, topics: Sequence[Topic]) -> tuple[TopicState, ...]:
    """What the broker has of the planned topics.

    Raises:
        BrokerUnavailableError: nobody answers.
    """
    with kafka_clients.admin(connection) as admin:
        return _describe(admin, topics)


def create(connection: Connection, topics: Sequence[Topic]) -> tuple[TopicState, ...]:
    """Create the planned topics that are missing; existing ones are compared and left as they are.

    Raises:
        BrokerUnavailableError: nobody answers.
        TransportError: the broker refuses to create one.
    """
    with kafka_clients.admin(connection) as admin:
        states = _describe(admin, topics)
        missing = [state.topic for state in states if state.state == "missing"]
        if not missing:
            return states
        made = _create(admin, missing)
        admin.wait_for_topics([topic.name for topic in missing])
        return tuple(
            TopicState(state.topic, "created", state.partitions)
            if state.topic.name in made and state.is_good
            else state
            for state in _describe(admin, topics)
        )


def remake(connection: Connection, topics: Sequence[Topic], *, timeout_seconds: float = 60.0) -> None:
    """Delete topics with all their records, and create them anew.

    Raises:
        TransportError: the broker does not do it in time.
    """
    until = time.monotonic() + timeout_seconds
    with kafka_clients.admin(connection) as admin:
        there = [state.topic.name for state in _describe(admin, topics) if state.state != "missing"]
        if there:
            admin.delete_topics(there)
        while not all(state.is_good for state in _describe(admin, topics)):
            if time.monotonic() > until:
                names = ", ".join(topic.name for topic in topics)
                raise TransportError(f"the broker did not make {names} anew in {timeout_seconds:.0f} s")
            # A topic that is being deleted is in the way for a moment, under its name but not described.
            missing = [state.topic for state in _describe(admin, topics) if state.state == "missing"]
            _create(admin, missing)
            time.sleep(0.2)


def _create(admin: Any, topics: Iterable[Topic]) -> frozenset[str]:
    """Create topics; one that somebody else created meanwhile is not in the answer and no error."""
    answer = admin.create_topics(
        {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": topic.settings,
            }
            for topic in topics
        },
        raise_errors=False,
    )
    made = set()
    for row in answer["topics"]:
        if not row["error_code"]:
            made.add(row["name"])
        elif row["error_code"] != kafka.errors.TopicAlreadyExistsError.errno:
            why = row["error_message"] or kafka.errors.for_code(row["error_code"]).__name__
            raise TransportError(f"the broker does not create the topic {row['name']}: {why}")
    return frozenset(made)


def _describe(admin: Any, topics: Sequence[Topic]) -> tuple[TopicState, ...]:
    there = {
        row["name"]: row
        for row in admin.describe_topics([topic.name for topic in topics])
        if not row["error_code"] and row["partitions"]
    }
    found: dict[str, dict[str, dict[str, str]]] = {}
    if there:
        found = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in there], config_filter="all"
        )["topic"]
    return tuple(
        _compared(topic, there[topic.name], found[topic.name])
        if topic.name in there
        else TopicState(topic, "missing")
        for topic in topics
    )


def _compared(topic: Topic, row: dict[str, Any], settings: dict[str, dict[str, str]]) -> TopicState:
    partitions = len(row["partitions"])
    replication = min(len(partition["replica_nodes"]) for partition in row["partitions"])
    differences = []
    if partitions != topic.partitions:
        differences.append(Difference("partitions", str(topic.partitions), str(partitions)))
    if replication != topic.replication:
        differences.append(Difference("replication", str(topic.replication), str(replication)))
    for name, expected in topic.settings.items():
        value = settings.get(name, {}).get("value", "")
        if value != expected:
            differences.append(Difference(name, expected, value))
    return TopicState(topic, "differs" if differences else "as-planned", partitions, tuple(differences))
