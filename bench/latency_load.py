"""What :mod:`bench.latency` publishes: a district's everyday life, and persons who cross a line, and back.

Few events of a normal district warn (one in some thousand), so a percentile would take hours. Beside the
made-up district there are therefore old people living alone, who are not reached at the regular check
(``elderly.contact.lost``: the floor ``orange`` of the Wuchang policy, so ``warning.raised``); the next time
their turn comes that is retracted (``warning.withdrawn``). Both are events about a person, and go the whole
way: intake, person, household. Each gives exactly one warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from streams.catalog import JOINED, REGISTERED, RETRACTED, Catalog
from streams.district import District, district_lines

#: How the ids of crossings begin; no other event's does.
MARK: Final = "crossing-"
_SOURCE: Final = "/wuchang/civil-affairs"
_DISTRICT_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Load:
    """What is published in one scenario.

    Attributes:
        rate: events per second, evenly spaced.
        seconds: how long, the warm-up among it.
        every: one event in so many crosses a line.
        households: of the district; ``alone`` households of one old person come on top.
    """

    rate: int
    seconds: float
    every: int
    households: int = 6_000
    alone: int = 2_000
    seed: int = 1

    @property
    def events(self) -> int:
        """All events after the registration."""
        return int(self.rate * self.seconds)

    def is_crossing(self, number: int) -> bool:
        """Whether the event of a number, from 0, crosses a line."""
        return number % self.every == self.every - 1

    @property
    def crossings(self) -> int:
        """Events that cross a line, one warning each."""
        return self.events // self.every

    def _district(self) -> District:
        begins = datetime.now(UTC).date() - timedelta(days=_DISTRICT_DAYS + 1)
        return District(self.households, self.events, seed=self.seed, begins=begins, days=_DISTRICT_DAYS)

    def lines(self, catalog: Catalog) -> tuple[list[bytes], list[bytes]]:
        """Registrations, and the events in the order in which they are sent."""
        district = self._district()
        first = f'"time":"{district.begins}T'.encode()
        made = list(district_lines(district, catalog))
        count = next((at for at, line in enumerate(made) if first not in line), len(made))
        everyday = iter(made[count:])
        events = [
            self._crossing(number) if self.is_crossing(number) else next(everyday)
            for number in range(self.events)
        ]
        return [*made[:count], *self._registered(str(district.begins))], events

    def _registered(self, day: str) -> Iterator[bytes]:
        for number in range(self.alone):
            home = f"alone{number:05}"
            yield _line(
                f"{home}-1", REGISTERED, f"household/{home}", f"{day}T09:00:00+08:00",
                '{"community":"420106006002"}',
            )  # fmt: skip
            yield _line(
                f"{home}-2", JOINED, f"person/{home}.1", f"{day}T09:00:01+08:00",
                f'{{"household":"{home}","role":"head","birth":"1950-05-04","sex":"female"}}',
            )  # fmt: skip

    def _crossing(self, number: int) -> bytes:
        turn, home = divmod(number // self.every, self.alone)
        time = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        subject = f"person/alone{home:05}.1"
        if turn % 2 == 0:
            return _line(f"{MARK}{number}", "elderly.contact.lost", subject, time, '{"missed_days":3}')
        before = number - self.alone * self.every
        return _line(f"{MARK}{number}", RETRACTED, subject, time, '{"reason":"was away"}', f"{MARK}{before}")


def crossing_of(id: str) -> int | None:
    """The number of the event that an id names; None where it is no crossing."""
    return int(id.removeprefix(MARK)) if id.startswith(MARK) else None


def _line(id: str, kind: str, subject: str, time: str, data: str, supersedes: str = "") -> bytes:
    more = f'"supersedes":"{supersedes}",' if supersedes else ""
    return (
        f'{{"specversion":"1.0","id":"{id}","source":"{_SOURCE}","type":"{kind}","subject":"{subject}",'
        f'"time":"{time}",{more}"data":{data}}}'
    ).encode()
