"""Courses: what befalls households of a made-up district, and how often.

Every rate is our own choice, none is a statistic. Courses ask a :class:`streams.district_life.Life` for
chance and tell it their events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.catalog import JOINED, LEFT, REGISTERED, RETRACTED
from streams.district_homes import Home, Person
from streams.district_life import Life


def _planned_stay(life: Life, home: Home) -> None:
    person, days = life.anyone(home), life.between(2, 10)
    _stay(life, person, days, '{"planned":true,"hospital_level":3}', life.between(800, 9_000))


def _sudden_stay(life: Life, home: Home) -> None:
    person, days = life.anyone(home), life.between(2, 16)
    _stay(life, person, days, '{"emergency":true,"hospital_level":2}', life.between(700, 12_000))
    if life.chance.random() < 0.12:
        life.later(
            days + life.between(5, 60),
            "health.hospital.admitted",
            f"person/{person.id}",
            '{"emergency":true}',
        )


def _stay(life: Life, person: Person, days: int, how: str, bill_yuan: int) -> None:
    subject = f"person/{person.id}"
    life.tell("health.hospital.admitted", subject, how)
    life.later(days, "health.hospital.discharged", subject, f'{{"stay_days":{days}}}')
    data = f'{{"self_paid_yuan":{bill_yuan},"total_yuan":{bill_yuan * 3},"inpatient":true}}'
    life.later(days, "insurance.bill.settled", subject, data)


def _major_illness(life: Life, home: Home) -> None:
    person = life.anyone(home)
    subject = f"person/{person.id}"
    _stay(
        life,
        person,
        life.between(10, 40),
        '{"emergency":true,"hospital_level":3}',
        life.between(8_000, 60_000),
    )
    illness = life.chance.choice(("cancer", "stroke", "heart-disease", "kidney-failure", "severe-trauma"))
    severity = life.chance.choice((3, 4, 4, 5))
    life.later(3, "health.illness.diagnosed", subject, f'{{"illness":"{illness}","severity":{severity}}}')
    for _ in range(life.between(0, 4)):
        data = f'{{"self_paid_yuan":{life.between(2_000, 30_000)},"inpatient":true}}'
        life.later(life.between(30, 200), "insurance.bill.settled", subject, data)
    if life.chance.random() < 0.4:
        life.later(life.between(150, 400), "health.illness.recovered", subject)
    if home.has_dibao or life.chance.random() < 0.2:
        life.later(life.between(30, 120), "benefit.medical-aid.granted", subject, '{"amount_yuan":8000}')


def _job_lost(life: Life, home: Home) -> None:
    person = life.pick(home, "earner")
    if person is None:
        return
    person.busy = True
    subject, chance = f"person/{person.id}", life.chance
    reason = chance.choice(("dismissed", "contract-ended", "employer-closed"))
    life.tell("work.job.lost", subject, f'{{"reason":"{reason}","monthly_yuan":0}}')
    away = life.between(14, 240)
    if chance.random() < 0.5:
        life.later(15, "benefit.unemployment.granted", subject, '{"monthly_yuan":1710}')
        life.later(away, "benefit.unemployment.ended", subject)
    if chance.random() < 0.88:
        data = f'{{"work":"full-time","monthly_yuan":{person.monthly_yuan * 9 // 10}}}'
        life.later(away, "work.job.found", subject, data, frees=person)


def _flexible_work_stopped(life: Life, home: Home) -> None:
    person = life.pick(home, "flexible")
    if person is None:
        return
    person.busy = True
    subject = f"person/{person.id}"
    kind = life.chance.choice(("work.odd-jobs.stopped", "work.platform.stopped"))
    life.tell(kind, subject, '{"idle_days":15,"monthly_yuan":0}')
    if life.chance.random() < 0.85:
        data = f'{{"work":"platform","monthly_yuan":{person.monthly_yuan}}}'
        life.later(life.between(10, 120), "work.job.found", subject, data, frees=person)


def _pension_stopped(life: Life, home: Home) -> None:
    person = life.pick(home, "pensioner")
    if person is None:
        return
    person.busy = True
    subject = f"person/{person.id}"
    life.tell("pension.payment.stopped", subject, '{"reason":"check-overdue","monthly_yuan":0}')
    data = f'{{"monthly_yuan":{person.monthly_yuan}}}'
    life.later(life.between(10, 60), "pension.payment.granted", subject, data, frees=person)


def _death(life: Life, home: Home) -> None:
    old = [person for person in home.members if person.age >= 70 and person.work == "pensioner"]
    person = life.chance.choice(old) if old else None
    if person is None and life.chance.random() < 0.06:
        person = life.pick(home, "earner")
    if person is None:
        return
    home.members.remove(person)
    earners = sum(member.work in ("earner", "flexible") for member in home.members)
    earned = person.work == "earner"
    data = (
        f'{{"earner_died":{_json(earned)},"only_earner":{_json(earned and not earners)},"cause":"illness"}}'
    )
    life.tell(LEFT, f"person/{person.id}", '{"reason":"died"}')
    life.tell("family.death.registered", f"household/{home.id}", data)


def _birth(life: Life, home: Home) -> None:
    if not any(person.role == "spouse" and person.age < 42 for person in home.members):
        return
    child = Person(f"{home.id}.b{life.today}", "child", 0, life.chance.choice(("female", "male")), "child")
    home.members.append(child)
    data = f'{{"household":"{home.id}","role":"child","birth":"{life.day}","sex":"{child.sex}"}}'
    life.tell(JOINED, f"person/{child.id}", data)
    life.tell("family.birth.registered", f"household/{home.id}", f'{{"birth":"{life.day}"}}')


def _moves_out(life: Life, home: Home) -> None:
    """A grown-up member moves into a household of their own, or to another one."""
    grown = [person for person in home.members[1:] if person.age >= 18 and person.role == "child"]
    if not grown:
        if len(home.members) > 1 and life.chance.random() < 0.3:
            other = life.homes[int(life.chance.random() * len(life.homes))]
            if other.members and other is not home:
                person = home.members.pop()
                other.members.append(person)
                life.tell(JOINED, f"person/{person.id}", f'{{"household":"{other.id}","role":"other"}}')
        return
    person = life.chance.choice(grown)
    home.members.remove(person)
    new = Home(f"{home.id}-{life.today}", home.community, [person])
    person.role = "head"
    life.homes.append(new)
    life.tell(REGISTERED, f"household/{new.id}", f'{{"community":"{new.community}"}}')
    life.tell(JOINED, f"person/{person.id}", f'{{"household":"{new.id}","role":"head"}}')


def _accident(life: Life, home: Home) -> None:
    injury = life.chance.choices(("none", "light", "serious"), weights=(60, 34, 6))[0]
    life.tell("accident.traffic.recorded", f"person/{life.anyone(home).id}", f'{{"injury":"{injury}"}}')


def _fire(life: Life, home: Home) -> None:
    lost = life.chance.random() < 0.08
    data = f'{{"loss_yuan":{life.between(500, 60_000)},"home_lost":{_json(lost)}}}'
    life.tell("accident.fire.reported", f"household/{home.id}", data)
    if lost:
        life.later(life.between(20, 150), "housing.home.restored", f"household/{home.id}")


def _arrears(life: Life, home: Home) -> None:
    subject = f"household/{home.id}"
    data = f'{{"utility":"electricity","overdue_months":{life.between(1, 4)}}}'
    life.tell("housing.utilities.overdue", subject, data)
    if life.chance.random() < 0.85:
        life.later(life.between(5, 60), "housing.arrears.paid", subject)


def _wages_overdue(life: Life, home: Home) -> None:
    person = life.pick(home, "earner")
    if person is not None:
        data = f'{{"overdue_yuan":{person.monthly_yuan * life.between(1, 4)}}}'
        life.tell("work.wages.overdue", f"person/{person.id}", data)
        if life.chance.random() < 0.7:
            life.later(life.between(20, 150), "work.wages.recovered", f"person/{person.id}")


def _school_trouble(life: Life, home: Home) -> None:
    person = life.pick(home, "student")
    if person is not None:
        subject, roll = f"person/{person.id}", life.chance.random()
        if roll < 0.5:
            data = f'{{"drop_percent":{life.between(8, 40)}}}'
            life.tell("education.marks.fallen", subject, data)
        elif roll < 0.97:
            life.tell("education.absence.reported", subject, f'{{"absent_days":{life.between(2, 20)}}}')
        else:
            life.tell("education.school.dropped", subject, '{"reason":"family"}')


def _school_fees(life: Life, home: Home) -> None:
    person = life.pick(home, "student", "child")
    if person is not None:
        data = f'{{"self_paid_yuan":{life.between(300, 9_000)}}}'
        life.tell("education.fees.paid", f"person/{person.id}", data)


def _wrong_bill(life: Life, home: Home) -> None:
    subject, amount = f"person/{life.anyone(home).id}", life.between(100, 3_000)
    wrong = life.tell(
        "insurance.bill.settled", subject, f'{{"self_paid_yuan":{amount * 10},"inpatient":true}}'
    )
    if life.chance.random() < 0.6:
        right = f'{{"self_paid_yuan":{amount},"inpatient":true}}'
        life.tell("insurance.bill.settled", subject, right, supersedes=wrong)
    else:
        life.tell(RETRACTED, subject, '{"reason":"booked by mistake"}', supersedes=wrong)


def _repeated(life: Life, home: Home) -> None:
    life.again()


def _single(kind: str, data: Callable[[Life], str], *, old: bool = False, household: bool = False) -> Course:
    """A course of one event."""

    def course(life: Life, home: Home) -> None:
        person = life.anyone(home)
        if old and person.age < 65:
            return
        subject = f"household/{home.id}" if household else f"person/{person.id}"
        life.tell(kind, subject, data(life))

    return course


def _json(value: bool) -> str:
    return "true" if value else "false"


def _severity(life: Life, *weights: int, key: str = "severity", first: int = 1) -> str:
    return f'{{"{key}":{life.chance.choices(range(first, first + len(weights)), weights=weights)[0]}}}'


Course = Callable[[Life, Home], None]

COURSES: Final[dict[Course, float]] = {
    _planned_stay: 0.06,
    _sudden_stay: 0.05,
    _major_illness: 0.008,
    _job_lost: 0.03,
    _flexible_work_stopped: 0.008,
    _pension_stopped: 0.004,
    _death: 0.012,
    _birth: 0.02,
    _moves_out: 0.03,
    _accident: 0.008,
    _fire: 0.001,
    _arrears: 0.015,
    _wages_overdue: 0.006,
    _school_trouble: 0.02,
    _school_fees: 0.12,
    _wrong_bill: 0.004,
    _repeated: 0.01,
    _single("health.chronic-illness.confirmed", lambda life: _severity(life, 60, 33, 7)): 0.03,
    _single("health.distress.reported", lambda life: _severity(life, 60, 32, 8)): 0.012,
    _single("health.distress.reported", lambda life: '{"severity":3,"self_harm_risk":true}'): 0.0003,
    _single("violence.domestic.reported", lambda life: _severity(life, 50, 35, 15)): 0.0012,
    _single("crime.fraud.reported", lambda life: f'{{"loss_yuan":{life.between(500, 80_000)}}}'): 0.005,
    _single(
        "debt.enforcement.ordered", lambda life: f'{{"amount_yuan":{life.between(3_000, 400_000)}}}'
    ): 0.003,
    _single("care.isolation.reported", lambda life: '{"degree":"isolated"}', old=True): 0.006,
    _single("elderly.contact.lost", lambda life: '{"missed_days":1}', old=True): 0.0008,
    _single(
        "care.dependency.assessed", lambda life: _severity(life, 40, 30, 20, 10, key="level"), old=True
    ): 0.01,
    _single("care.service.granted", lambda life: '{"weekly_hours":6}', old=True): 0.004,
    _single("disability.certificate.issued", lambda life: _severity(life, 5, 25, 35, 35, key="grade")): 0.003,
    _single("work.injury.recognised", lambda life: _severity(life, *([1] * 4 + [5] * 6), key="grade")): 0.001,
    _single("family.divorce.registered", lambda life: '{"minor_children":1}', household=True): 0.004,
    _single("housing.damage.reported", lambda life: '{"extent":"minor"}', household=True): 0.003,
    _single(
        "community.visit.recorded", lambda life: _severity(life, 80, 14, 5, 1, first=0), household=True
    ): 0.08,
    _single("community.need.reported", lambda life: _severity(life, 60, 30, 10), household=True): 0.008,
    _single("community.hotline.called", lambda life: '{"need":"other"}', household=True): 0.02,
    _single("benefit.temporary-aid.granted", lambda life: '{"amount_yuan":2000}', household=True): 0.004,
    _single("charity.aid.given", lambda life: '{"amount_yuan":1000}', household=True): 0.003,
    _single("veteran.hardship.reported", lambda life: _severity(life, 70, 25, 5), household=True): 0.0005,
}
"""Course to rate, per household and year."""

TYPES: Final = (
    "insurance.bill.settled",
    "health.checkup.completed",
    "education.school.enrolled",
    "pension.payment.changed",
    "income.earnings.assessed",
    "health.hospital.admitted",
    "health.hospital.discharged",
    "work.job.lost",
    "health.illness.diagnosed",
    "health.illness.recovered",
    "work.job.found",
    "work.odd-jobs.stopped",
    "work.platform.stopped",
    "benefit.unemployment.granted",
    "benefit.unemployment.ended",
    "work.wages.overdue",
    "work.wages.recovered",
    "pension.payment.stopped",
    "pension.payment.granted",
    "family.death.registered",
    "family.birth.registered",
    "accident.traffic.recorded",
    "accident.fire.reported",
    "housing.home.restored",
    "housing.utilities.overdue",
    "housing.arrears.paid",
    "education.marks.fallen",
    "education.absence.reported",
    "education.school.dropped",
    "education.fees.paid",
    "health.chronic-illness.confirmed",
    "health.distress.reported",
    "violence.domestic.reported",
    "crime.fraud.reported",
    "debt.enforcement.ordered",
    "care.isolation.reported",
    "elderly.contact.lost",
    "care.dependency.assessed",
    "care.service.granted",
    "disability.certificate.issued",
    "work.injury.recognised",
    "family.divorce.registered",
    "housing.damage.reported",
    "community.visit.recorded",
    "community.need.reported",
    "community.hotline.called",
    "benefit.temporary-aid.granted",
    "charity.aid.given",
    "veteran.hardship.reported",
    "benefit.dibao.granted",
    "benefit.disability-subsidy.granted",
    "benefit.low-income.confirmed",
    "benefit.medical-aid.granted",
    "elderly.living-alone.confirmed",
    "family.single-parent.confirmed",
)
