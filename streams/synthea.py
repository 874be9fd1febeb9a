"""Synthea's synthetic patients as events of the catalogue.

Read are ``patients.csv``, ``encounters.csv`` and ``conditions.csv`` of a folder (examples/synthea). Written
are structured CloudEvents in order of time. How persons become households: :mod:`streams.synthea_homes`;
what findings become: :mod:`streams.synthea_codes`. The rest is said here, and all of it is our own choice.

*Money.* US prices at the exchange rate would make everybody rich and every cold a catastrophe, so dollars
are scaled to what things are like in a Chinese city, not exchanged: one dollar of income is one yuan
(a usual US income of 70,000 dollars a year becomes 5,800 yuan a month); one dollar of a hospital stay is one
yuan; one dollar of any other visit is 0.15 yuan. The self-paid share of a bill is that of the data (total
less coverage), but at most 45 percent of a stay and 50 percent of a visit, because nearly everybody in
China has basic medical insurance, and many of the persons have none. Amounts are cut to whole fen.

*Income.* Who is 18 to 59 and works full-time has INCOME / 12 a month, part-time half of it, out of work or
not working nothing; grown-up children count from when a finding of employment says so. From 60 on INCOME is a
pension, at most 6,000 yuan a month. Incomes and pensions are assessed on registration and again every
January. A household below the line of 910 yuan a head on registration gets dibao, reviewed every January:
there are no benefits in the data, and such a family would have it.

*Hospital.* Inpatient visits, and emergency visits of twelve hours or more, are stays; one that begins within
a day after the last is the same stay (intensive care, then the ward). Every visit gives a bill. Admission
to a nursing facility or hospice is care dependency of level 3 or 4 from then on; 1 after a nursing facility.

*Work.* A finding of employment counts where it differs from the one before. At the start an adult does what
the first finding says, if it comes within a year, and otherwise works full-time.

*Death.* The person leaves (``died``), and the household has ``family.death.registered``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Final

from streams.catalog import JOINED, LEFT, REGISTERED, Catalog
from streams.errors import InputError
from streams.synthea_codes import (
    CHRONIC,
    DISTRESS,
    ISOLATION,
    MAJOR,
    PARTNER_VIOLENCE,
    PLANNED_REASONS,
    VISIT,
    WORK,
)
from streams.synthea_files import Row, Rows, person_of
from streams.synthea_homes import (
    PENSION_AGE,
    START,
    SyntheaHome,
    SyntheaPerson,
    form_households,
    pseudonym,
)

YUAN_PER_USD_OF_INCOME: Final = Fraction(1)
YUAN_PER_USD_OF_STAY: Final = Fraction(1)
YUAN_PER_USD_OF_VISIT: Final = Fraction(15, 100)
MOST_SELF_PAID_OF_STAY: Final = Fraction(45, 100)
MOST_SELF_PAID_OF_VISIT: Final = Fraction(50, 100)
MOST_PENSION_YUAN: Final = 6_000
DIBAO_LINE_YUAN: Final = 910
STAY_HOURS: Final = 12

_CHINA: Final = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a folder.

    Attributes:
        lines: structured CloudEvents in order of time, without LF.
        types: number of events by type.
        persons, households: that were registered.
        left_out: persons who died before the data begin.
    """

    lines: list[bytes]
    types: Counter[str]
    persons: int
    households: int
    left_out: int


def import_synthea(
    folder: str | Path, catalog: Catalog, *, on_row: Callable[[int], None] | None = None
) -> Imported:
    """Read a folder of Synthea's files.

    Args:
        on_row: called with the number of rows read so far, for a progress bar.

    Raises:
        InputError: a file or column is missing, or a value is malformed: with file and line.
    """
    rows = Rows(Path(folder), on_row)
    every = [person_of(row) for row in rows.read("patients.csv")]
    work = _Importer(catalog, form_households(every))
    for row in rows.read("encounters.csv"):
        work.encounter(row)
    work.stays()
    for row in rows.read("conditions.csv"):
        work.condition(row)
    work.lives()
    lines = work.lines()
    persons = sum(len(home.members) for home in work.homes)
    return Imported(lines, work.types, persons, len(work.homes), len(every) - persons)


class _Importer:
    """Collects events; each is written down with the instant that it is sorted by."""

    def __init__(self, catalog: Catalog, homes: list[SyntheaHome]) -> None:
        self.catalog = catalog
        self.homes = homes
        self.types: Counter[str] = Counter()
        self._events: list[tuple[datetime, int, bytes]] = []
        self._ids: Counter[str] = Counter()
        self._persons = {person.key: (person, home) for home in homes for person in home.members}
        self._stays: dict[str, list[tuple[datetime, datetime, bool, bool]]] = {}
        self._open: dict[str, set[tuple[str, date]]] = {}
        self._ill: set[tuple[str, date, str, int]] = set()
        self._last: dict[str, datetime] = {}
        self._changes: dict[str, list[tuple[date, str]]] = {}
        self._registrar = catalog.registry[0] if catalog.registry else ""

    # -- writing -----------------------------------------------------------------------------------
    def tell(self, when: datetime, kind: str, subject: str, data: dict[str, object], cause: str) -> None:
        """Write one event; its id follows from what caused it."""
        event_type = self.catalog.events.get(kind)
        if event_type is None and kind not in (REGISTERED, JOINED, LEFT):
            raise InputError(f"the catalogue `{self.catalog.id}` lacks the type `{kind}`")
        department = event_type.departments[0] if event_type is not None else self._registrar
        name = pseudonym(f"{cause}/{kind}/{subject}/{when.isoformat()}")
        self._ids[name] += 1
        if self._ids[name] > 1:
            name = f"{name}-{self._ids[name]}"
        event = {
            "specversion": "1.0",
            "id": f"syn-{name}",
            "source": self.catalog.source_of(department),
            "type": kind,
            "subject": subject,
            "time": when.astimezone(_CHINA).isoformat(timespec="seconds"),
            "data": data,
        }
        line = json.dumps(event, separators=(",", ":")).encode()
        self._events.append((when, len(self._events), line))
        self.types[kind] += 1
        self._last[subject] = max(when, self._last.get(subject, when))

    def lines(self) -> list[bytes]:
        """All events in order of time; of the same instant, in the order of writing."""
        return [line for _, _, line in sorted(self._events, key=lambda event: event[:2])]

    # -- encounters --------------------------------------------------------------------------------
    def encounter(self, row: Row) -> None:
        """A visit: a bill, and perhaps a stay, a check-up or care."""
        found = self._persons.get(row["PATIENT"])
        start, stop = row.instant("START"), row.instant("STOP")
        if found is None or row["DESCRIPTION"] == "Death Certification" or _is_dead(found[0], start.date()):
            return
        person, _ = found
        subject, visit, cause = f"person/{person.id}", row["ENCOUNTERCLASS"], row["Id"]
        hours = (stop - start).total_seconds() / 3_600
        is_stay = visit == "inpatient" or (visit == "emergency" and hours >= STAY_HOURS)
        if is_stay:
            planned = row["REASONDESCRIPTION"].startswith(PLANNED_REASONS)
            self._stays.setdefault(person.key, []).append((start, stop, planned, visit == "emergency"))
        elif visit == "wellness":
            self.tell(start, "health.checkup.completed", subject, {}, cause)
        elif visit in ("snf", "hospice"):
            level = 3 if visit == "snf" else 4
            self.tell(start, "care.dependency.assessed", subject, {"level": level}, cause)
            if visit == "snf":
                self.tell(stop, "care.dependency.assessed", subject, {"level": 1}, cause)
        total, covered = row.amount("TOTAL_CLAIM_COST"), row.amount("PAYER_COVERAGE")
        rate = YUAN_PER_USD_OF_STAY if is_stay else YUAN_PER_USD_OF_VISIT
        most = MOST_SELF_PAID_OF_STAY if is_stay else MOST_SELF_PAID_OF_VISIT
        self_paid = min(max(total - covered, Fraction(0)), total * most) * rate
        data: dict[str, object] = {
            "self_paid_yuan": _yuan(self_paid),
            "total_yuan": _yuan(total * rate),
            "inpatient": is_stay,
        }
        self.tell(stop, "insurance.bill.settled", subject, data, cause)

    def stays(self) -> None:
        """Stays, those that follow within a day joined into one."""
        for key, stays in self._stays.items():
            person, _ = self._persons[key]
            joined: list[tuple[datetime, datetime, bool, bool]] = []
            for start, stop, planned, emergency in sorted(stays):
                if joined and start - joined[-1][1] <= timedelta(days=1):
                    first, last, was_planned, was_emergency = joined[-1]
                    joined[-1] = (first, max(last, stop), was_planned, was_emergency)
                else:
                    joined.append((start, stop, planned, emergency))
            for start, stop, planned, emergency in joined:
                subject = f"person/{person.id}"
                how: dict[str, object] = {"planned": planned, "emergency": emergency or not planned}
                self.tell(start, "health.hospital.admitted", subject, how, key)
                days = max(1, round((stop - start) / timedelta(days=1)))
                self.tell(stop, "health.hospital.discharged", subject, {"stay_days": days}, key)

    # -- conditions --------------------------------------------------------------------------------
    def condition(self, row: Row) -> None:
        """A finding with its dates."""
        found = self._persons.get(row["PATIENT"])
        day, code = row.day("START"), row["CODE"]
        end = row.day("STOP") if row["STOP"] else None
        if found is None or _is_dead(found[0], day):
            return
        person, home = found
        subject, when, cause = f"person/{person.id}", _at(day, 9), f"{code}/{day}"
        if code in MAJOR or code in CHRONIC:
            kind = "health.illness.diagnosed" if code in MAJOR else "health.chronic-illness.confirmed"
            illness, severity = MAJOR.get(code) or CHRONIC[code]
            data: dict[str, object] = {"illness": illness, "severity": severity}
            if (person.key, day, illness, severity) not in self._ill:  # two codes may mean the same illness
                self._ill.add((person.key, day, illness, severity))
                self.tell(when, kind, subject, data, cause)
            if code in MAJOR:
                self._open.setdefault(person.key, set()).add((code, end or date.max))
        elif code in DISTRESS:
            self.tell(when, "health.distress.reported", subject, {"severity": DISTRESS[code]}, cause)
        elif code in ISOLATION:
            self.tell(when, "care.isolation.reported", subject, {"degree": ISOLATION[code]}, cause)
        elif code == PARTNER_VIOLENCE:
            self.tell(when, "violence.domestic.reported", subject, {"severity": 2}, cause)
        elif code in VISIT:
            severity, need = VISIT[code]
            data = {"severity": severity, "need": need}
            self.tell(when, "community.visit.recorded", f"household/{home.id}", data, cause)
        elif code in WORK:
            self._changes.setdefault(person.key, []).append((day, WORK[code]))

    # -- lives ---------------------------------------------------------------------------------------
    def lives(self) -> None:
        """Registration, incomes, work, recoveries and deaths of every household."""
        last = max((when for when, _, _ in self._events), default=_at(START, 0)).astimezone(_CHINA).date()
        for home in self.homes:
            self._begin(home)
            self._register(home)
            for year in range(START.year, last.year + 1):
                self._year(home, date(year, 1, 10), last)
            for person in home.members:
                self._recover(person)
                self._die(home, person)

    def _begin(self, home: SyntheaHome) -> None:
        """An adult's work at the start is what the first finding says, if it comes within a year."""
        for person in home.members:
            first = min(self._changes.get(person.key, ()), default=None)
            if person.work != "child" and first is not None and (first[0] - START).days < 366:
                person.work = first[1]

    def _register(self, home: SyntheaHome) -> None:
        household = f"household/{home.id}"
        self.tell(_at(START, 0), REGISTERED, household, {"community": home.community}, "registration")
        for person in home.members:
            joins = max(START, person.born)
            data: dict[str, object] = {"household": home.id, "role": person.role}
            data |= {"birth": person.born.isoformat(), "sex": person.sex}
            self.tell(_at(joins, 0), JOINED, f"person/{person.id}", data, "registration")
            if person.born >= START:
                data = {"birth": person.born.isoformat()}
                self.tell(_at(joins, 1), "family.birth.registered", household, data, person.key)
        alone = len(home.members) == 1 and home.members[0].age(START) >= 65
        if alone:
            subject = f"person/{home.members[0].id}"
            self.tell(_at(START, 1), "elderly.living-alone.confirmed", subject, {}, "registration")

    def _year(self, home: SyntheaHome, day: date, last: date) -> None:
        """A year of incomes: assessed in January, changed by findings of employment after it."""
        first = day.year == START.year
        assessed = _at(START, 2) if first else _at(day, 8)
        yuan_a_head = Fraction(0)
        here = [person for person in home.members if person.born <= day and not _is_dead(person, day)]
        for person in here:
            age, subject = person.age(day), f"person/{person.id}"
            monthly = self._monthly_yuan(person, day)
            yuan_a_head += Fraction(monthly, len(here))
            if age >= PENSION_AGE:
                kind = "pension.payment.granted" if first else "pension.payment.changed"
                self.tell(assessed, kind, subject, {"monthly_yuan": monthly}, f"income {day.year}")
            elif age >= 18 and (person.role != "child" or person.work != "child"):
                self.tell(
                    assessed,
                    "income.earnings.assessed",
                    subject,
                    {"monthly_yuan": monthly},
                    f"income {day.year}",
                )
        if first:
            home.has_dibao = yuan_a_head < DIBAO_LINE_YUAN
        if home.has_dibao and here and day <= last:
            kind = "benefit.dibao.granted" if first else "benefit.dibao.changed"
            amount = max(0, int((DIBAO_LINE_YUAN - yuan_a_head) * len(here)))
            when = assessed + timedelta(hours=-1 if first else 0)
            self.tell(when, kind, f"household/{home.id}", {"monthly_yuan": amount}, f"dibao {day.year}")
        for person in here:
            for start, work in sorted(self._changes.get(person.key, ())):
                if start.year == day.year:
                    self._works(home, person, start, work)

    def _works(self, home: SyntheaHome, person: SyntheaPerson, day: date, work: str) -> None:
        """A finding of employment."""
        if not 18 <= person.age(day) < PENSION_AGE or work == person.work:
            return
        before, person.work = person.work, work
        subject, monthly = f"person/{person.id}", self._monthly_yuan(person, day)
        if work in ("full-time", "part-time"):
            data: dict[str, object] = {"work": work, "monthly_yuan": monthly}
            self.tell(_at(day, 10), "work.job.found", subject, data, "work")
        elif work == "unemployed":
            data = {"reason": "other", "monthly_yuan": 0}
            self.tell(_at(day, 10), "work.job.lost", subject, data, "work")
        elif before != "unemployed":
            self.tell(_at(day, 10), "income.earnings.assessed", subject, {"monthly_yuan": 0}, "work")

    def _monthly_yuan(self, person: SyntheaPerson, day: date) -> int:
        full = int(person.yearly_usd * YUAN_PER_USD_OF_INCOME / 12)
        if person.age(day) >= PENSION_AGE:
            return min(full, MOST_PENSION_YUAN)
        return {"full-time": full, "part-time": full // 2}.get(person.work, 0)

    def _recover(self, person: SyntheaPerson) -> None:
        """Recovered on the last day of the last major illness, if all have ended."""
        ends = [end for _, end in self._open.get(person.key, ())]
        if ends and max(ends) < date.max:
            self.tell(_at(max(ends), 17), "health.illness.recovered", f"person/{person.id}", {}, "recovery")

    def _die(self, home: SyntheaHome, person: SyntheaPerson) -> None:
        if person.died is None:
            return
        # In the evening; later where a last bill is settled after that, in the time of Nebraska.
        when = max(_at(person.died, 23), self._last[f"person/{person.id}"] + timedelta(minutes=1))
        earning = ("full-time", "part-time")
        earned = person.age(person.died) < PENSION_AGE and person.work in earning
        others = any(
            other is not person and other.work in earning and 18 <= other.age(person.died) < PENSION_AGE
            for other in home.members
        )
        self.tell(when, LEFT, f"person/{person.id}", {"reason": "died"}, "death")
        data: dict[str, object] = {"earner_died": earned, "only_earner": earned and not others}
        self.tell(when, "family.death.registered", f"household/{home.id}", data, person.key)


def _is_dead(person: SyntheaPerson, day: date) -> bool:
    return person.died is not None and person.died < day


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=_CHINA)


def _yuan(amount: Fraction) -> float | int:
    """Yuan, cut to whole fen."""
    fen = int(amount * 100)
    return fen // 100 if fen % 100 == 0 else fen / 100
