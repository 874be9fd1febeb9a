"""Metrics of a worker, for Prometheus.

Counting is dictionary work, done once for a part of the log and never for a record; the client library is
only asked when somebody scrapes. Labels are bounded: departments, types and levels of the catalogue and the
policy, stages, topics, partitions. No label ever names a household or a person, and none takes a word that
a sender chose.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:  # it needs Faust, which only a worker has loaded
    from agents.lanes import Lane, Part

logger = logging.getLogger(__name__)

Labels = tuple[str, ...]
Kind = Literal["counter", "gauge", "histogram"]

CONTENT_TYPE: Final[str] = CONTENT_TYPE_LATEST
_FINE: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WIDE: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


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


_STAGES = "`stage`: intake, person, household"
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
        "`reason`: too-large, not-json, not-cloudevent, unknown-type, wrong-department, bad-subject,"
        " bad-time, bad-data, internal-error",
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
        "`reason`: fenced (another worker owns the partition), stale (a newer generation does), missing"
        " (Redis has lost it), ledger (state and log do not fit), unavailable (Redis did not answer)",
    ),
    Definition(
        "hearthwatch_redis_retries_total", "counter", ("stage", "reason"),
        "Calls to Redis that were tried again.", "`reason`: lost, loading, script, refused-write",
    ),
    Definition(
        "hearthwatch_kafka_retries_total", "counter", ("topic",),
        "Batches that had to be sent again.", "`topic`: one that the stage sends to",
    ),
    Definition(
        "hearthwatch_processing_seconds", "histogram", ("stage",),
        "From the fetch of a part of the log (up to 1,000 records) to its commit.", _STAGES, _FINE,
    ),
    Definition(
        "hearthwatch_warning_latency_seconds", "histogram", (),
        "End to end: from the broker's receipt of the event to the acknowledged warning that it caused."
        " With `clock: log` times are simulated, and nothing is observed.",
        "", _WIDE,
    ),
    Definition(
        "hearthwatch_lag_records", "gauge", ("stage", "topic"),
        "Records of the owned partitions that are not committed yet, summed over them.",
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
#: In the order of the reference page.

_BY_NAME: Final = {definition.name: definition for definition in DEFINITIONS}


class Series:
    """Counters, gauges and histograms as plain dictionaries, and their collector."""

    def __init__(self) -> None:
        self._values: dict[str, dict[Labels, float]] = {
            one.name: {} for one in DEFINITIONS if one.kind != "histogram"
        }
        self._histograms: dict[str, dict[Labels, list[float]]] = {
            one.name: {} for one in DEFINITIONS if one.kind == "histogram"
        }
        self._watched: dict[str, Callable[[], Mapping[Labels, float]]] = {}
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(_Adapter(self))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def add(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        """Raise a counter."""
        values = self._values[name]
        values[labels] = values.get(labels, 0) + amount

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Set a gauge."""
        self._values[name][labels] = value

    def watch(self, name: str, ask: Callable[[], Mapping[Labels, float]]) -> None:
        """Ask for a gauge's values whenever somebody scrapes, instead of keeping them."""
        self._watched[name] = ask

    def observe(self, name: str, labels: Labels, seconds: Iterable[float]) -> None:
        """Put observations into a histogram, many at once."""
        buckets = _BY_NAME[name].buckets
        series = self._histograms[name].get(labels)
        if series is None:
            series = self._histograms[name][labels] = [0.0] * (len(buckets) + 2)
        for value in seconds:
            series[bisect_left(buckets, value)] += 1
            series[-1] += value

    def total(self, name: str) -> float:
        """A counter, summed over its labels."""
        return sum(list(self._values[name].values()))

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)

    def families(self) -> Iterator[Metric]:
        """What a scrape sees."""
        for one in DEFINITIONS:
            if one.kind == "histogram":
                yield self._histogram(one)
                continue
            values = self._values[one.name]
            if one.name in self._watched:
                values = dict(self._watched[one.name]())
            family = (CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily)(
                one.name, one.help, labels=one.labels
            )
            for labels, value in sorted(values.items()):
                family.add_metric(labels, value)
            yield family

    def _histogram(self, one: Definition) -> Metric:
        family = HistogramMetricFamily(one.name, one.help, labels=one.labels)
        series = self._histograms[one.name]
        if not one.labels and not series:
            series = {(): [0.0] * (len(one.buckets) + 2)}
        for labels, counts in sorted(series.items()):
            total = 0.0
            rows: list[tuple[str, float]] = []
            for bound, count in zip([*map(str, one.buckets), "+Inf"], counts[:-1], strict=True):
                total += count
                rows.append((bound, total))
            family.add_metric(labels, rows, counts[-1])
        return family


class _Adapter(Collector):
    """What prometheus_client asks; apart, because its name for it would be an odd one here."""

    def __init__(self, series: Series) -> None:
        self._series = series

    def collect(self) -> Iterator[Metric]:
        return self._series.families()


#: Tallies of a part (``agents.lanes.Part``) -> the counters they raise; each gets the tally's words.
Route = Callable[[Series, Labels, int], None]


def _by_stage(name: str) -> Route:
    return lambda series, words, n: series.add(name, words[:1], n)


def _rejected(series: Series, words: Labels, n: int) -> None:
    department, reason = words
    series.add("hearthwatch_events_total", (department, "rejected"), n)
    series.add("hearthwatch_rejected_total", (department, reason), n)


TALLIES: Final[Mapping[str, Route]] = {
    "accepted": lambda series, words, n: series.add("hearthwatch_events_total", (words[0], "accepted"), n),
    "rejected": _rejected,
    # The field's name is the sender's word: neither bounded nor free of persons. The type is ours.
    "dropped-field": lambda series, words, n: series.add("hearthwatch_dropped_fields_total", words[:1], n),
    "records": lambda series, words, n: None,  # counted from the part itself, for every stage
    "repeats": _by_stage("hearthwatch_repeats_total"),
    "unevaluated": _by_stage("hearthwatch_unevaluated_total"),
    "caught-up": _by_stage("hearthwatch_caught_up_total"),
    "ticks": lambda series, words, n: series.add("hearthwatch_ticks_total", words[:1], n),
    "warnings": lambda series, words, n: series.add("hearthwatch_warnings_total", words[:2], n),
    "set-aside": lambda series, words, n: None,  # counted from the part's failures, likewise
}
"""What stages may tally. A test compares this with what they do."""


class StageMetrics:
    """The engine's monitor: what one worker of one stage tells Prometheus.

    Args:
        clock: ``wall`` or ``log``; in ``log`` what was received when says nothing about latency.
    """

    def __init__(self, stage: str, *, clock: str = "wall", now: Callable[[], float] = time.time) -> None:
        self.stage = stage
        self.series = Series()
        self._clock = clock
        self._now = now
        self._stage: Labels = (stage,)
        self._unknown: set[str] = set()

    def committed(self, lane: Lane, part: Part) -> None:
        """A part is through: its sends are acknowledged and its commit is done."""
        series = self.series
        series.add("hearthwatch_commits_total", self._stage)
        if part.states:
            series.add("hearthwatch_committed_states_total", self._stage, len(part.states))
        if part.failures:
            series.add("hearthwatch_internal_errors_total", self._stage, len(part.failures))
        for (name, *words), number in part.tallies.items():
            route = TALLIES.get(name)
            if route is not None:
                route(series, tuple(words), number)
            elif name not in self._unknown:
                self._unknown.add(name)
                logger.error("a tally without a metric: %s", name)
        if part.count:
            series.add("hearthwatch_records_total", self._stage, part.count)
        series.observe("hearthwatch_processing_seconds", self._stage, (time.monotonic() - part.began,))
        if part.received and self._clock == "wall":
            now = self._now()
            series.observe(
                "hearthwatch_warning_latency_seconds", (), [now - at / 1e6 for at in part.received]
            )

    def refused(self, reason: str) -> None:
        """A claim or a commit was refused."""
        self.series.add("hearthwatch_refusals_total", (self.stage, reason))

    def partitions(self, owned: int, stopped: int) -> None:
        """How many partitions this worker owns, and how many of them are stopped."""
        self.series.set("hearthwatch_partitions", (self.stage, "owned"), owned)
        self.series.set("hearthwatch_partitions", (self.stage, "stopped"), stopped)

    def redis_retry(self, reason: str) -> None:
        """For ``RedisLink(on_retry=...)``."""
        self.series.add("hearthwatch_redis_retries_total", (self.stage, reason))

    def kafka_retry(self, topic: str) -> None:
        """For ``OrderedProducer(on_retry=...)``."""
        self.series.add("hearthwatch_kafka_retries_total", (topic,))

    def about(self, *, worker: str, catalog: str, policy: str) -> None:
        """Say who this is; digests may be whole."""
        self.series.set("hearthwatch_worker_info", (self.stage, worker, catalog[:12], policy[:12]), 1)
