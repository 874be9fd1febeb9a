"""Every metric of a worker: its name, its labels, what it says. The reference page is written from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from casework.alerts.intents import FATES
from casework.cases.case import CLOCKS, TIERS, CloseCode
from casework.cases.commands import DATA

Kind = Literal["counter", "gauge", "histogram"]

_FINE: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WIDE: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

_DAY = 86_400.0
_LONG: Final = (
    900.0, 3_600.0, 14_400.0, 43_200.0, _DAY, 2 * _DAY, 3 * _DAY, 5 * _DAY, 7 * _DAY, 15 * _DAY, 30 * _DAY,
    90 * _DAY,
)  # fmt: skip


_TOLD: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 4 * 3_600.0, 43_200.0, _DAY, 3 * _DAY)


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric.

    Attributes:
        name: in full, with its unit; a counter ends in ``_total``.
        labels: names of its labels.
        help: one sentence, for the scrape and for docs/reference/metrics.md.
        values: what its labels can be, for the reference.
        buckets: upper bounds in seconds, of a histogram.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    values: str = ""
    buckets: tuple[float, ...] = ()


#: Why intake does not take an event (docs/reference/events.md), and the live system's own reason.
REJECTIONS: Final = (
    "too-large", "not-json", "not-cloudevent", "unknown-type", "wrong-department", "bad-subject", "bad-time",
    "bad-data", "internal-error",
)  # fmt: skip
REFUSALS: Final[Mapping[str, str]] = {
    "fenced": "another worker owns the partition",
    "stale": "a newer generation does",
    "missing": "Redis has lost it",
    "ledger": "state and log do not fit",
    "unavailable": "Redis did not answer",
}
WARNING_TYPES: Final = tuple(
    f"warning.{what}" for what in ("raised", "upgraded", "lowered", "moved", "cleared", "withdrawn")
)
CLOSE_CODES: Final = get_args(CloseCode)
COMMANDS: Final = tuple(DATA)
OUTCOMES: Final = ("sent", "failed", "rejected")
WAITING: Final[Mapping[str, str]] = {
    "grouped": "for others of its community, or the end of quiet hours",
    "silenced": "for the end of a silence",
    "digest": "for a channel's rate",
    "message": "in a message that is on its way",
}
RETRIES: Final = ("lost", "loading", "script", "refused-write")

_STAGES = "`stage`: intake, person, household, forward, cases, dispatch"
_TOPICS = "`topic`: a topic that the stage reads"

DEFINITIONS: Final = (
    Definition(
        "hearthwatch_events_total", "counter", ("department", "result"),
        "Events that departments sent, by what intake made of them.",
        "`department`: one of the catalogue; `result`: accepted, rejected",
    ),
    Definition(
        "hearthwatch_rejected_total", "counter", ("department", "reason"),
        "Events that went to the dead letters.",
        f"`reason`: {', '.join(REJECTIONS)}",
    ),
    Definition(
        "hearthwatch_dropped_fields_total", "counter", ("type",),
        "Fields of accepted events that the catalogue does not name, and that were dropped.",
        "`type`: an event type",
    ),
    Definition(
        "hearthwatch_records_total", "counter", ("stage",),
        "Records that the stage has worked through and committed.", _STAGES,
    ),
    Definition(
        "hearthwatch_repeats_total", "counter", ("stage",),
        "Records that came again after a crash or a takeover, and changed nothing.", _STAGES,
    ),
    Definition(
        "hearthwatch_internal_errors_total", "counter", ("stage",),
        "Records that the program failed on, set aside as dead letters with the reason internal-error.",
        _STAGES,
    ),
    Definition(
        "hearthwatch_unevaluated_total", "counter", ("stage",),
        "Moves and midnights that were applied without an evaluation, because the program failed on it.",
        _STAGES,
    ),
    Definition(
        "hearthwatch_warnings_total", "counter", ("type", "level"),
        "Warnings that were sent, repeats after a crash included.",
        "`type`: warning.raised, .upgraded, .lowered, .moved, .cleared, .withdrawn; `level`: one of the"
        " policy, or none",
    ),
    Definition(
        "hearthwatch_ticks_total", "counter", ("result",),
        "Midnights in the log of household.facts, one for each partition.",
        "`result`: applied, ignored (ahead of the broker's clock)",
    ),
    Definition(
        "hearthwatch_caught_up_total", "counter", ("stage",),
        "Households that were brought to the partition's day between batches.", _STAGES,
    ),
    Definition(
        "hearthwatch_commits_total", "counter", ("stage",), "Commits to the ledger.", _STAGES,
    ),
    Definition(
        "hearthwatch_committed_states_total", "counter", ("stage",),
        "States written by these commits.", _STAGES,
    ),
    Definition(
        "hearthwatch_refusals_total", "counter", ("stage", "reason"),
        "Claims and commits that the ledger refused.",
        "`reason`: "
        + ", ".join(f"{reason} ({meaning})" for reason, meaning in REFUSALS.items()),
    ),
    Definition(
        "hearthwatch_redis_retries_total", "counter", ("stage", "reason"),
        "Calls to Redis that were tried again.", f"`reason`: {', '.join(RETRIES)}",
    ),
    Definition(
        "hearthwatch_kafka_retries_total", "counter", ("topic",),
        "Batches that had to be sent again.", "`topic`: one that the stage sends to",
    ),
    Definition(
        "hearthwatch_processing_seconds", "histogram", ("stage",),
        "From the fetch of a part of the log (up to 4,000 records) to its commit.", _STAGES, _FINE,
    ),
    Definition(
        "hearthwatch_warning_latency_seconds", "histogram", (),
        "End to end: from the broker's receipt of the event to the acknowledged warning that it caused."
        " With `clock: log` times are simulated, and nothing is observed.",
        "", _WIDE,
    ),
    Definition(
        "hearthwatch_lag_records", "gauge", ("stage", "topic"),
        "Records of this worker's partitions that are not committed yet, summed over them; also while it can"
        " work on none of them, as when Redis does not answer. One that it could never claim counts from"
        " where the ledger says that it stands, and from the beginning of its log where Redis has lost it.",
        f"{_STAGES}; {_TOPICS}",
    ),
    Definition(
        "hearthwatch_partitions", "gauge", ("stage", "state"),
        "Partitions that this worker has.",
        "`state`: owned (claimed and at work), stopped (an operator must act, see the log)",
    ),
    Definition(
        "hearthwatch_effects_waiting", "gauge", ("stage",),
        "Records that were sent and are not acknowledged by the broker yet.", _STAGES,
    ),
    Definition(
        "hearthwatch_households", "gauge", ("level",),
        "Households of the owned partitions that have a level; add up all workers.",
        "`level`: one of the policy",
    ),
    Definition(
        "hearthwatch_partition_day", "gauge", ("topic", "partition"),
        "The day that the partition is at, in days since 1970-01-01.",
        "`topic`: household.facts; `partition`: a number",
    ),
    Definition(
        "hearthwatch_partition_day_age_seconds", "gauge", ("topic", "partition"),
        "For how long the partition's day has been over by the worker's clock; 0 while it is today. With"
        " `clock: log` days are simulated, and nothing is shown.",
        "`topic`: household.facts; `partition`: a number",
    ),
    Definition(
        "hearthwatch_snapshot_age_seconds", "gauge", ("topic", "partition"),
        "For how long changes of an owned partition have been waiting for a snapshot, or 0: a rebuild reads"
        " the log from there.",
        "`topic`: person.events, household.facts, case.commands, alerts; `partition`: a number",
    ),
    Definition(
        "hearthwatch_cases", "gauge", ("level", "state"),
        "Open cases of the owned partitions; add up all workers.",
        "`level`: one of the policy; `state`: new, acknowledged, visited, assessed, assisted",
    ),
    Definition(
        "hearthwatch_cases_late", "gauge", ("tier",),
        "Open cases in which something is late, by the highest tier that knows of it; add up all workers.",
        f"`tier`: {', '.join(TIERS)}",
    ),
    Definition(
        "hearthwatch_cases_opened_total", "counter", ("level",),
        "Cases that were opened, on a go-live's worklist or not.", "`level`: one of the policy",
    ),
    Definition(
        "hearthwatch_cases_closed_total", "counter", ("code",), "Cases that were closed.",
        f"`code`: {', '.join(CLOSE_CODES)}",
    ),
    Definition(
        "hearthwatch_case_commands_total", "counter", ("command", "result"),
        "Commands of staff by what came of them.",
        f"`command`: {', '.join(COMMANDS)}, unknown; `result`: done, repeated, or the reason of a refusal",
    ),
    Definition(
        "hearthwatch_case_deadlines_missed_total", "counter", ("clock", "tier"),
        "Deadlines that passed, counted once for each tier that was told.",
        f"`clock`: {', '.join(CLOCKS)}; `tier`: {', '.join(TIERS)}",
    ),
    Definition(
        "hearthwatch_case_step_seconds", "histogram", ("step", "level"),
        "From the opening of a case until something was done for it, by the log's own time. Nothing is"
        " observed of a step that ran without a clock, such as the first of a go-live's worklist.",
        f"`step`: {', '.join(CLOCKS)}; `level`: one of the policy",
        _LONG,
    ),
    Definition(
        "hearthwatch_alerts_total", "counter", ("fate",),
        "What became of alerts; one can have several fates, one after the other. gave-up: no channel of a"
        " team reached anybody.",
        f"`fate`: {', '.join(FATES)}",
    ),
    Definition(
        "hearthwatch_alert_messages_total", "counter", ("channel", "result"),
        "Answers to attempts to send a message to one recipient.",
        f"`channel`: one of the routes; `result`: {', '.join(OUTCOMES)}",
    ),
    Definition(
        "hearthwatch_alerts_waiting", "gauge", ("why",),
        "Alerts of the owned partitions that nobody has been told of; add up all workers.",
        f"`why`: {', '.join(f'{why} ({meaning})' for why, meaning in WAITING.items())}",
    ),
    Definition(
        "hearthwatch_alert_messages_unsent", "gauge", (),
        "Messages of the owned partitions of which an attempt has failed and that nobody has got yet; add up"
        " all workers.",
    ),
    Definition(
        "hearthwatch_alert_seconds", "histogram", ("level",),
        "From an alert until somebody was told of it, by the log's own time: grouping, quiet hours, silences"
        " and attempts that failed included.",
        "`level`: one of the policy",
        _TOLD,
    ),
    Definition(
        "hearthwatch_department_last_event_timestamp_seconds", "gauge", ("department",),
        "When the broker received the latest record, accepted or not, in the department's owned partitions,"
        " in seconds since 1970. Nothing of a department that never sent; with `clock: log` nothing at all.",
        "`department`: one of the catalogue",
    ),
    Definition(
        "hearthwatch_department_silent_after_seconds", "gauge", ("department",),
        "How long the department may be silent, by the catalogue.",
        "`department`: one of the catalogue that says so",
    ),
    Definition(
        "hearthwatch_redis_memory_used_bytes", "gauge", ("stage", "server"),
        "Memory that a server of the ledger uses, as it says itself; seen every 10 s.",
        f"{_STAGES}; `server`: host and port of a master",
    ),
    Definition(
        "hearthwatch_redis_memory_bound_bytes", "gauge", ("stage", "server"),
        "Memory that the server may use: its `maxmemory`, or all of its machine's where it has no bound.",
        f"{_STAGES}; `server`: host and port of a master",
    ),
    Definition(
        "hearthwatch_clock_difference_seconds", "gauge", ("stage", "server"),
        "How far the worker's clock is ahead of a server's at least, negative if behind; 0 where the answer"
        " came within what the network may have taken.",
        f"{_STAGES}; `server`: kafka (the broker's stamp on the latest batch that the stage sent), redis",
    ),
    Definition(
        "hearthwatch_redis_connected", "gauge", ("stage",),
        "1 if Redis answered the latest call, else 0.", _STAGES,
    ),
    Definition(
        "hearthwatch_ready", "gauge", ("stage",),
        "1 if the worker is assigned, has claimed its partitions and is connected, else 0.", _STAGES,
    ),
    Definition(
        "hearthwatch_worker_info", "gauge", ("stage", "worker", "catalog", "policy"),
        "Always 1; its labels say who this is.",
        "`worker`: its name; `catalog`, `policy`: first 12 hex digits of the file's SHA-256",
    ),
)  # fmt: skip
"""In the order of the reference page."""
