"""What happens in the demo, and when: synthetic patients, a made-up district, eight stories
with those who help, some bad events.

The years before the stories run by a quarter at a time, the days between what stories tell by a week, and
what they tell by the day. Within each a household's events follow one another: what a family's departments
send arrives on topics that have no common order, and two orders may lead to two numbers of warnings. So the
same demo has the same warnings every time.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Final

from casework.cases.book import Book
from casework.stories.acts import Act, Staff
from casework.stories.staff_file import read_all_staff
from streams.catalog import JOINED, REGISTERED, Catalog
from streams.district import District, district_lines
from streams.errors import InputError
from streams.stories import Story, read_stories
from streams.synthea import import_synthea

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
#: The made-up households beside the others: enough that something happens on most days.
HOUSEHOLDS: Final = 120
LIFE_EVENTS: Final = 1_000
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class BadEvent:
    """A line that has to end in the dead letters.

    Attributes:
        reason: the one that it has to get.
        topic: where it is sent, whatever it says.
    """

    reason: str
    topic: str
    line: bytes


@dataclass(slots=True)
class Day:
    """One simulated day, the week up to it, or one quarter of the years before.

    Attributes:
        label: ``2023-03-05``, or ``2016-Q3`` for a quarter.
        waves: lines that may arrive together; each wave once the order of the one before is settled.
        acts: what staff do on this day.
        acts_at: how many waves come before that: those of the stories. What else happens comes behind, so
            that the clock of dispatch, which is one for the district, is not ahead of them.
        told: whether a story says something on this day: each wave of it follows once the one before is
            judged.
    """

    label: str
    waves: list[list[bytes]] = field(default_factory=list)
    bad: list[BadEvent] = field(default_factory=list)
    acts: list[tuple[Staff, Act]] = field(default_factory=list)
    acts_at: int = 0
    told: bool = False

    @property
    def events(self) -> int:
        """Number of lines, bad ones left out."""
        return sum(map(len, self.waves))

    @property
    def last(self) -> date:
        """The day, or the last one of the quarter."""
        year, _, quarter = self.label.partition("-Q")
        if not quarter:
            return date.fromisoformat(self.label)
        month = 3 * int(quarter)
        return date(int(year) + month // 12, month % 12 + 1, 1) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole demo.

    Attributes:
        before: the years before, by quarter.
        days: the days that stories tell of, and the weeks between them.
        until: the last day; ticks lead there.
        stories: with the warnings that are expected with their staff at work.
        households: ids of all that are registered.
        staff: who helps, of the stories that tell of them.
    """

    before: list[Day]
    days: list[Day]
    until: date
    stories: tuple[Story, ...]
    households: frozenset[str]
    staff: tuple[Staff, ...] = ()

    @property
    def events(self) -> int:
        """Number of lines, bad ones left out."""
        return sum(day.events for day in [*self.before, *self.days])

    @property
    def bad(self) -> list[BadEvent]:
        """All bad events."""
        return [one for day in self.days for one in day.bad]


def read_timeline(catalog: Catalog, book: Book, examples: Path = EXAMPLES) -> Timeline:
    """Put the demo together.

    Args:
        book: that cases are worked by, with the words of a catalogue of assistance.

    Raises:
        InputError: the examples are not there, or faulty.
    """
    if not (examples / "stories").is_dir() or not (examples / "synthea").is_dir():
        raise InputError(
            f"{examples}: the demo needs the folder `examples` of a clone: run scripts/demo there"
        )
    stories = tuple(story.when_helped() for story in read_stories(examples / "stories", catalog))
    staff = tuple(read_all_staff(stories, book).values())
    begins = date.fromisoformat(min(story.begins for story in stories))
    until = date.fromisoformat(max(story.until for story in stories))
    length = (until - begins).days
    district = District(HOUSEHOLDS, LIFE_EVENTS, begins=begins, days=length - 100)
    crowd = [*import_synthea(examples / "synthea", catalog).lines, *district_lines(district, catalog)]
    told = {arrival[:10] for story in stories for arrival in story.arrivals}
    told |= {act.day for acting in staff for act in acting.acts}
    weeks = _weeks({str(json.loads(line)["time"])[:10] for line in crowd}, told, since=begins.isoformat())
    spans: dict[str, list[bytes]] = defaultdict(list)
    households = {story.household for story in stories}
    for line in crowd:
        event = json.loads(line)
        day = str(event["time"])[:10]
        if event["type"] == REGISTERED:
            households.add(event["subject"].partition("/")[2])
        elif event["type"] == JOINED:
            households.add(event["data"]["household"])
        spans[weeks.get(day) or _quarter(day)].append(line)
    homes: dict[str, str] = {}
    before = [Day(span, in_order(spans[span], homes)) for span in sorted(spans) if "Q" in span]
    days = {span: Day(span, in_order(spans[span], homes)) for span in sorted(spans) if "Q" not in span}
    tell(stories, staff, days)
    ordered = [days[label] for label in sorted(days)]
    _spoil(ordered, catalog)
    return Timeline(before, ordered, until, stories, frozenset(households), staff)


def in_order(lines: Iterable[bytes], homes: dict[str, str]) -> list[list[bytes]]:
    """Split lines into waves so that each household's come in their order, whatever order topics are read in.

    In a wave a household has lines of one department alone, which share a partition, and either about its
    people or about itself, because these ways meet again only behind the stage of persons.

    Args:
        homes: person to household, so far; what the lines say of it is added.
    """
    waves: list[list[bytes]] = []
    at: dict[str, tuple[int, tuple[str, bool]]] = {}
    for line in lines:
        event = json.loads(line)
        subject = event["subject"]
        is_home = is_of_household(line)
        way = (event["source"], is_home)
        old = subject.partition("/")[2] if is_home else homes.get(subject, subject)
        if event["type"] == JOINED:
            homes[subject] = event["data"]["household"]
        home = old if is_home else homes.get(subject, subject)
        number = max((at[one][0] + (at[one][1] != way) for one in {old, home} & set(at)), default=0)
        at[home] = (number, way)
        if number == len(waves):
            waves.append([])
        waves[number].append(line)
    return waves


def is_of_household(line: bytes) -> bool:
    """Whether an event is about a household, and not about a person."""
    return bool(json.loads(line)["subject"].startswith("household/"))


def _weeks(days: set[str], told: set[str], *, since: str) -> dict[str, str]:
    """Day to the last one that it goes with: seven at most, and no further than to a day that is told."""
    weeks: dict[str, str] = {}
    together: list[str] = []
    for day in sorted(one for one in days | told if one >= since):
        is_over = bool(together) and date.fromisoformat(day) - date.fromisoformat(together[0]) >= _WEEK
        if day in told or is_over:
            weeks |= dict.fromkeys(together, together[-1] if together else "")
            together = []
        if day in told:
            weeks[day] = day
        else:
            together.append(day)
    return weeks | dict.fromkeys(together, together[-1] if together else "")


def _quarter(day: str) -> str:
    return f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}"


def tell(stories: Iterable[Story], staff: Iterable[Staff], days: dict[str, Day]) -> None:
    """Put the stories' lines on their days, one of each story in a wave, and then what staff do."""
    by_day: dict[str, list[list[bytes]]] = defaultdict(list)
    for story in stories:
        lines: dict[str, list[bytes]] = defaultdict(list)
        for arrival, line in zip(story.arrivals, story.lines, strict=True):
            lines[arrival[:10]].append(line)
        for label, of_day in lines.items():
            by_day[label].append(of_day)
    for label, told in by_day.items():
        day = days.setdefault(label, Day(label))
        day.told = True
        waves = [[line for line in wave if line is not None] for wave in zip_longest(*told, fillvalue=None)]
        day.waves = [*waves, *filter(None, day.waves)]
        day.acts_at = len(waves)
    for acting in staff:
        for act in acting.acts:
            day = days.setdefault(act.day, Day(act.day, told=True))
            day.told = True
            day.acts.append((acting, act))
    for day in days.values():
        day.acts.sort(key=lambda pair: pair[1].at)


def _spoil(days: Sequence[Day], catalog: Catalog) -> None:
    """Spread the bad events over the weeks of which no story tells."""
    plain = [day for day in days if not day.told and day.events]
    for number, make in enumerate(_BAD, start=1):
        day = plain[number * len(plain) // (len(_BAD) + 1)]
        changes, reason, department = make
        event: dict[str, object] = {
            "specversion": "1.0",
            "id": f"bad-{number}",
            "source": catalog.source_of(department),
            "type": "insurance.bill.settled",
            "subject": "person/demo-nobody",
            "time": f"{day.label}T12:00:00+08:00",
            "recordedtime": f"{day.label}T12:00:00+08:00",
            "data": {"self_paid_yuan": 120, "total_yuan": 400, "inpatient": False},
        }
        event.update(changes)
        if reason == "bad-time" and not changes:
            later = date.fromisoformat(day.label) + timedelta(days=7)
            event["time"] = f"{later.isoformat()}T12:00:00+08:00"
        line = json.dumps(event).encode()
        if reason == "not-json":
            line = line[: len(line) // 2]
        day.bad.append(BadEvent(reason, f"life.{department}", line))


#: What is changed, the reason that must come of it, and who sends it.
_BAD: Final[tuple[tuple[dict[str, object], str, str], ...]] = (
    ({}, "not-json", "medical-insurance"),  # a truncated line
    ({}, "wrong-department", "housing"),  # a department that may not send bills
    ({"subject": "person/Zhang San"}, "bad-subject", "medical-insurance"),  # a name
    ({"time": "2024-01-01T12:00:00"}, "bad-time", "medical-insurance"),  # without offset
    ({}, "bad-time", "medical-insurance"),  # of next week
    ({"type": "insurance.bill.imagined"}, "unknown-type", "medical-insurance"),
    ({"data": {"self_paid_yuan": -120}}, "bad-data", "medical-insurance"),  # a negative bill
    ({"id": ""}, "not-cloudevent", "medical-insurance"),
    ({"note": "x" * 70_000}, "too-large", "medical-insurance"),
)
