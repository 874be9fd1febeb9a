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
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from agents.metric_definitions import (
    CLOSE_CODES,
    COMMANDS,
    DEFINITIONS,
    OUTCOMES,
    REFUSALS,
    REJECTIONS,
    RETRIES,
    WARNING_TYPES,
    Definition,
)
from casework.alerts.intents import FATES
from casework.cases.case import CLOCKS, TIERS

if TYPE_CHECKING:  # it needs Faust, which only a worker has loaded
    from agents.lanes import Lane, Part

logger = logging.getLogger(__name__)

Labels = tuple[str, ...]

CONTENT_TYPE: Final[str] = CONTENT_TYPE_LATEST
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

    def clear(self, name: str) -> None:
        """Forget a gauge's values, whatever their labels."""
        self._values[name].clear()

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
    "opened": lambda series, words, n: series.add("hearthwatch_cases_opened_total", words, n),
    "closed": lambda series, words, n: series.add("hearthwatch_cases_closed_total", words, n),
    "commands": lambda series, words, n: series.add("hearthwatch_case_commands_total", words, n),
    "late": lambda series, words, n: series.add("hearthwatch_case_deadlines_missed_total", words, n),
    "alerts": lambda series, words, n: series.add("hearthwatch_alerts_total", words, n),
    "messages": lambda series, words, n: series.add("hearthwatch_alert_messages_total", words, n),
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
        self._on_commit: list[Callable[[Lane, Part], None]] = []
        # A counter that is first seen at 1 has not risen, as far as Prometheus can tell: begin at 0.
        for name in (
            "hearthwatch_records_total", "hearthwatch_commits_total", "hearthwatch_committed_states_total",
            "hearthwatch_repeats_total", "hearthwatch_internal_errors_total", "hearthwatch_unevaluated_total",
        ):  # fmt: skip
            self.series.add(name, self._stage, 0)
        for reason in REFUSALS:
            self.series.add("hearthwatch_refusals_total", (stage, reason), 0)
        for reason in RETRIES:
            self.series.add("hearthwatch_redis_retries_total", (stage, reason), 0)

    def on_commit(self, tell: Callable[[Lane, Part], None]) -> None:
        """Tell somebody else of commits too."""
        self._on_commit.append(tell)

    def expect(self, departments: Iterable[str], levels: Iterable[str]) -> None:
        """Begin what this stage will count about departments or levels at 0."""
        if self.stage == "intake":
            for department in departments:
                for result in ("accepted", "rejected"):
                    self.series.add("hearthwatch_events_total", (department, result), 0)
                for reason in REJECTIONS:
                    self.series.add("hearthwatch_rejected_total", (department, reason), 0)
        elif self.stage == "household":
            for level in (*levels, "none"):
                for type in WARNING_TYPES:
                    if (level == "none") == (type in ("warning.cleared", "warning.withdrawn")):
                        self.series.add("hearthwatch_warnings_total", (type, level), 0)
            self.series.add("hearthwatch_caught_up_total", self._stage, 0)
            for result in ("applied", "ignored"):
                self.series.add("hearthwatch_ticks_total", (result,), 0)

        elif self.stage == "cases":
            for level in levels:
                self.series.add("hearthwatch_cases_opened_total", (level,), 0)
                for step in CLOCKS:
                    self.series.observe("hearthwatch_case_step_seconds", (step, level), ())
            for clock in CLOCKS:
                for tier in TIERS:
                    self.series.add("hearthwatch_case_deadlines_missed_total", (clock, tier), 0)
            for code in CLOSE_CODES:
                self.series.add("hearthwatch_cases_closed_total", (code,), 0)
            for command in COMMANDS:
                self.series.add("hearthwatch_case_commands_total", (command, "done"), 0)

    def expect_routes(self, channels: Iterable[str], levels: Iterable[str]) -> None:
        """Begin what dispatch will count about channels and levels at 0."""
        for fate in FATES:
            self.series.add("hearthwatch_alerts_total", (fate,), 0)
        for channel in channels:
            for result in OUTCOMES:
                self.series.add("hearthwatch_alert_messages_total", (channel, result), 0)
        for level in levels:
            self.series.observe("hearthwatch_alert_seconds", (level,), ())

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
        for histogram, labels, seconds in part.observed:
            series.observe(histogram, labels, (seconds,))
        if part.received and self._clock == "wall":
            now = self._now()
            series.observe(
                "hearthwatch_warning_latency_seconds", (), [now - at / 1e6 for at in part.received]
            )
        for tell in self._on_commit:
            tell(lane, part)

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
        """Say who this is, and by which files it goes now; digests may be whole."""
        self.series.clear("hearthwatch_worker_info")
        self.series.set("hearthwatch_worker_info", (self.stage, worker, catalog[:12], policy[:12]), 1)
