"""Day by day in a made-up district.

A *course* is something that befalls a household, with what follows from it later; the rate is per household
and year. The rest of the events, up to the number asked for, is everyday life: small bills, check-ups,
incomes assessed again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import accumulate

from streams.district_homes import Home, Person
from streams.district_world import World, at_second

_Later = tuple[int, str, str, str, Person | None]
"""(second of the day, type, subject, data, who is free for other courses then)."""


class Life:
    """Tells the days of a district after its first.

    Args:
        courses: what befalls households -> how often, per household and year.
    """

    def __init__(self, world: World, courses: Mapping[Callable[[Life, Home], None], float]) -> None:
        self.world = world
        self.chance = world.chance
        self.homes = world.homes
        self.day = world.district.begins
        self.today = 0
        self._pending: dict[int, list[_Later]] = defaultdict(list)
        self._told: list[tuple[int, bytes]] = []
        self._courses = list(courses)
        self._weights = list(accumulate(courses.values()))
        # Where far more is asked for than happens to people, small bills stay small in sum.
        self._bill_scale = min(1.0, 4.0 / max(world.district.density, 0.01))

    def lines(self) -> Iterator[bytes]:
        """The lines of every day, in order of time, until the number asked for is reached."""
        district, left = self.world.district, self.world.district.events
        courses_a_day = district.households * self._weights[-1] / 365
        for self.today in range(1, district.length_days + 1):
            if not left:
                return
            self.day = district.begins + timedelta(days=self.today)
            days_left = district.length_days - self.today + 1
            quota = -(-left // days_left)
            self._tell_pending()
            free = max(0, quota - len(self._told))
            share = min(1.0, courses_a_day / free) if free else 0.0
            while len(self._told) < quota:
                home = self.homes[int(self.chance.random() * len(self.homes))]
                if not home.members:
                    continue
                if self.chance.random() < share:
                    self.chance.choices(self._courses, cum_weights=self._weights)[0](self, home)
                else:
                    self._everyday(home)
            self._told.sort(key=lambda pair: pair[0])
            today = self._told[:left]
            left -= len(today)
            self._told = []
            for _, line in today:
                yield line

    # -- telling -----------------------------------------------------------------------------------
    def tell(self, kind: str, subject: str, data: str = "{}", supersedes: str = "", second: int = -1) -> str:
        """An event of today; its id."""
        second = second if second >= 0 else self.world.office_second()
        line = self.world.line(kind, subject, at_second(self.day, second), data, supersedes)
        self._told.append((second, line))
        return f"g{self.world.told:07}"

    def later(
        self, days: int, kind: str, subject: str, data: str = "{}", *, frees: Person | None = None
    ) -> None:
        """An event of a later day; those after the last day are never told."""
        event = (self.world.office_second(), kind, subject, data, frees)
        self._pending[self.today + max(1, days)].append(event)

    def again(self) -> None:
        """The last line of today once more: a repeated record."""
        if self._told:
            second, line = self._told[-1]
            self._told.append((second + 60, line))

    def _tell_pending(self) -> None:
        for second, kind, subject, data, freed in self._pending.pop(self.today, ()):
            self.tell(kind, subject, data, second=second)
            if freed is not None:
                freed.busy = False

    def pick(self, home: Home, *works: str) -> Person | None:
        """A member by work, or None."""
        fitting = [person for person in home.members if person.work in works and not person.busy]
        return self.chance.choice(fitting) if fitting else None

    def anyone(self, home: Home) -> Person:
        """Any member, the old more often."""
        old = [person for person in home.members if person.age >= 60]
        return self.chance.choice(old if old and self.chance.random() < 0.4 else home.members)

    def between(self, least: int, most: int) -> int:
        """A whole number, small ones more often."""
        return least + int((most - least + 1) * self.chance.random() ** 2)

    # -- everyday life -------------------------------------------------------------------------------
    def _everyday(self, home: Home) -> None:
        roll, person = self.chance.random(), self.anyone(home)
        subject = f"person/{person.id}"
        if roll < 0.62 or (roll >= 0.80 and person.work in ("student", "child") and self.day.month != 9):
            amount = max(1, int(self.between(10, 700) * self._bill_scale))
            self.tell("insurance.bill.settled", subject, f'{{"self_paid_yuan":{amount},"inpatient":false}}')
        elif roll < 0.80:
            result = "normal" if self.chance.random() < 0.8 else "follow-up"
            self.tell("health.checkup.completed", subject, f'{{"result":"{result}"}}')
        elif person.work in ("student", "child"):
            stage = "kindergarten" if person.age < 6 else "primary" if person.age < 12 else "junior-high"
            stage = stage if person.age < 15 else "senior-high" if person.age < 18 else "university"
            self.tell("education.school.enrolled", subject, f'{{"stage":"{stage}"}}')
        elif person.work == "pensioner":
            person.monthly_yuan += person.monthly_yuan * 3 // 100 if not person.busy and roll < 0.84 else 0
            if not person.busy:
                self.tell("pension.payment.changed", subject, f'{{"monthly_yuan":{person.monthly_yuan}}}')
        elif not person.busy:
            self.tell("income.earnings.assessed", subject, f'{{"monthly_yuan":{person.monthly_yuan}}}')
