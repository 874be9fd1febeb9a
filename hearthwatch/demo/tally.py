"""What the demo has seen so far; written by the play and the feed of warnings, read by the screen."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from casework.cases.book import Book
from hearthwatch.demo.helping import Did, Message
from hearthwatch.demo.timeline import Timeline
from rules.policy import Policy, Titles
from streams.stories import Story, differences
from streams.warnings_topic import WarningRecord

NEWEST: Final = 60
_RATE_SECONDS: Final = 2.0


class Rate:
    """Things per second over the last moments."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: deque[tuple[float, int]] = deque()
        self.total = 0

    def add(self, count: int) -> None:
        """So many more, now."""
        self.total += count
        self._seen.append((self._now(), count))

    def per_second(self) -> float:
        """The rate now."""
        oldest = self._now() - _RATE_SECONDS
        while self._seen and self._seen[0][0] < oldest:
            self._seen.popleft()
        return sum(count for _, count in self._seen) / _RATE_SECONDS


@dataclass(frozen=True, slots=True)
class StoryOutcome:
    """How a story came out.

    Attributes:
        seen: number of its warnings so far.
        problems: in what it differs from what is told; final only at the end.
    """

    story: Story
    seen: int
    problems: tuple[str, ...]

    @property
    def is_as_told(self) -> bool:
        """Whether every warning came as told, and no other."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class News:
    """What was done for a household of a story, or told of it.

    Attributes:
        at: when, in microseconds since 1970; of a message, by when at the latest.
    """

    day: str
    at: int
    household: str
    what: Did | Message


@dataclass(slots=True)
class Tally:
    """Everything that the screen shows; guarded by ``lock``.

    Attributes:
        news: what staff did and were told about the stories, the latest last. news_total: so many so far.
        messages: that went out, by channel. alerts: that they told; one may tell several.
        acts: how many things staff have done.
        teams: titles of those that are told, by their ids.
    """

    timeline: Timeline
    policy: Policy
    book: Book
    day: str = ""
    done_days: int = 0
    rejected: int = 0
    events: Rate = field(default_factory=Rate)
    warnings: Rate = field(default_factory=Rate)
    levels: dict[str, str | None] = field(default_factory=dict)
    newest: deque[WarningRecord] = field(default_factory=lambda: deque(maxlen=NEWEST))
    by_type: Counter[str] = field(default_factory=Counter)
    by_level: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    first_warning: float | None = None
    news: deque[News] = field(default_factory=lambda: deque(maxlen=NEWEST))
    news_total: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    acts: int = 0
    teams: Mapping[str, Titles] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _published: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _of_stories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._of_stories = {story.household: [] for story in self.timeline.stories}

    def publishing(self, lines: Iterable[bytes]) -> None:
        """These lines go out now."""
        now = time.time()
        with self.lock:
            for line in lines:
                event = json.loads(line)
                self._published.setdefault((event["source"], event["id"], event["subject"]), now)

    def reached(self, day: str, *, events: int, days: int, rejected: int) -> None:
        """A day is through."""
        with self.lock:
            self.day = day
            self.done_days += days
            self.rejected = rejected
            self.events.add(events)

    def warned(self, records: Sequence[WarningRecord]) -> None:
        """Warnings came."""
        with self.lock:
            self.warnings.add(len(records))
            for record in records:
                self._one(record)

    def acted(self, did: Did) -> None:
        """Somebody did something, and was answered."""
        with self.lock:
            self.acts += 1
            self._add(News(did.act.day, did.act.at, did.staff.household, did))

    def alerted(self, messages: Sequence[Message], day: str, at: int) -> None:
        """Messages went out, on a day, by an instant."""
        with self.lock:
            for message in messages:
                self.messages[message.channel] += 1
                self.alerts += len(message.alerts)
                about = {str(one["case"]).rpartition("-")[0] for one in message.alerts}
                for household in sorted(about & set(self._of_stories)):
                    self._add(News(day, at, household, message))

    def _add(self, news: News) -> None:
        self.news_total += 1
        self.news.append(news)

    def _one(self, record: WarningRecord) -> None:
        data = record.message["data"]
        if self.first_warning is None:
            self.first_warning = time.monotonic()
        self.levels[record.household] = data["level"]
        self.newest.append(record)
        self.by_type[record.message["type"].removeprefix("warning.")] += 1
        if data["level"] is not None:
            self.by_level[data["level"]] += 1
        if record.household in self._of_stories:
            self._of_stories[record.household].append(record.message)
        cause = data["cause"]
        published = self._published.get((cause.get("source"), cause.get("id"), cause.get("subject")))
        if published is not None and data["reason"] != "day":
            self.latencies_ms.append(max(0.0, record.seen_seconds - published) * 1000)

    def households_by_level(self) -> dict[str | None, int]:
        """Number of households at each level of the policy, highest first, and at none."""
        count = Counter(level for level in self.levels.values() if level is not None)
        found: dict[str | None, int] = {level.id: count[level.id] for level in reversed(self.policy.levels)}
        households = self.timeline.households | set(self.levels)
        found[None] = len(households) - sum(count.values())
        return found

    def outcomes(self) -> list[StoryOutcome]:
        """How each story stands."""
        outcomes = []
        for story in self.timeline.stories:
            # The days go on behind a story's end; what comes there is not part of it.
            seen = [one for one in self._of_stories[story.household] if one["data"]["day"] <= story.until]
            outcomes.append(StoryOutcome(story, len(seen), tuple(differences(story, seen))))
        return outcomes

    def latency_ms(self, share: float) -> float | None:
        """A quantile of publish to warning, in milliseconds; None where nothing was measured."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
