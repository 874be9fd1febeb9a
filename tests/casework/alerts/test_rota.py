"""Who is on call: weeks in turn, handovers, National Day with its make-up days, overrides."""

from __future__ import annotations

import datetime as dt

import pytest

from casework.alerts.rota import day_kind
from casework.alerts.routes import Routes
from casework.workdays import Workdays
from tests.casework.alerts.a_district import at, edited, routes

SHANGHAI = Workdays("Asia/Shanghai")
PLAIN = '      starts: 2026-01-05\n      handover: "08:30"\n      weeks: [li, wang]\n'


def rota(text: str) -> Routes:
    """The routes with this rota of the community's team."""
    return routes(edited((PLAIN, "".join(f"      {line.strip()}\n" for line in text.strip().splitlines()))))


def on_call(routes: Routes, when: str) -> list[str]:
    return [member.id for member in routes.on_call(routes.teams["community"], at(when))]


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def test_weeks_take_turns_and_begin_with_the_handover_on_the_day_that_they_start() -> None:
    read = routes()
    assert on_call(read, "2026-01-05 08:30") == ["li"]
    assert on_call(read, "2026-01-12 08:29") == ["li"]
    assert on_call(read, "2026-01-12 08:30") == ["wang"]
    assert on_call(read, "2026-01-19 08:30") == ["li"]
    assert on_call(read, "2026-01-05 08:29") == ["wang"]  # and so they did before


# National Day of 2026: Thursday the 1st to Wednesday the 7th; Sunday 20 September and Saturday 10 October
# are worked.
@pytest.mark.parametrize(
    ("date", "kind"),
    [
        ("2026-09-19", "rest"),
        ("2026-09-20", "work"),
        ("2026-09-30", "work"),
        ("2026-10-01", "holiday"),
        ("2026-10-03", "holiday"),
        ("2026-10-04", "holiday"),
        ("2026-10-07", "holiday"),
        ("2026-10-08", "work"),
        ("2026-10-10", "work"),
        ("2026-10-11", "rest"),
    ],
)
def test_days_around_national_day(date: str, kind: str) -> None:
    assert day_kind(day(date), SHANGHAI) == kind


NATIONAL_DAY = """
    starts: 2026-01-05
    handover: "08:30"
    weeks: [{workdays: li, weekends: wang}]
    holidays: [zhao, [li, wang], wang]
    overrides: [{from: 2026-10-05, to: 2026-10-06, who: li}, {from: 2026-10-06, who: zhao}]
"""


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("2026-09-19 12:00", ["wang"]),  # an ordinary Saturday
        ("2026-09-20 12:00", ["li"]),  # a Sunday that is worked
        ("2026-10-01 08:29", ["li"]),  # the last day before is still handed over
        ("2026-10-01 08:30", ["zhao"]),
        ("2026-10-02 12:00", ["li", "wang"]),
        ("2026-10-03 12:00", ["wang"]),  # a Saturday within the holiday is the holiday's
        ("2026-10-04 12:00", ["zhao"]),
        ("2026-10-05 12:00", ["li"]),  # overridden
        ("2026-10-06 12:00", ["zhao"]),  # by the later of two
        ("2026-10-07 12:00", ["zhao"]),
        ("2026-10-08 08:29", ["zhao"]),
        ("2026-10-08 08:30", ["li"]),
        ("2026-10-10 12:00", ["li"]),  # the Saturday that makes up for it
        ("2026-10-11 12:00", ["wang"]),
    ],
)
def test_a_rota_over_national_day(when: str, who: list[str]) -> None:
    assert on_call(rota(NATIONAL_DAY), when) == who


def test_without_a_list_for_holidays_they_are_as_weekends() -> None:
    read = rota("weeks: [{workdays: li, weekends: wang}]")
    assert [on_call(read, f"2026-10-0{number} 12:00") for number in (1, 3, 8)] == [["wang"], ["wang"], ["li"]]


def test_a_weekday_goes_before_workdays_but_a_make_up_saturday_is_for_who_works() -> None:
    read = rota("weeks: [{workdays: li, sat: wang, sun: zhao, wed: zhao}]")
    assert on_call(read, "2026-10-14 12:00") == ["zhao"]  # a Wednesday
    assert on_call(read, "2026-10-10 12:00") == ["li"]
    assert on_call(read, "2026-10-17 12:00") == ["wang"]


def test_a_year_whose_notice_is_not_out_goes_by_the_file() -> None:
    days = "{holidays: [2031-10-01, 2031-10-02, 2031-10-03], workdays: [2031-09-28]}"
    text = edited((PLAIN, "      weeks: [{workdays: li, weekends: wang}]\n      holidays: [zhao]\n"))
    read = routes(text.replace("defaults:", f"calendar: {days}\ndefaults:"))
    assert on_call(read, "2031-10-01 12:00") == ["zhao"]  # a Wednesday
    assert on_call(read, "2031-09-28 12:00") == ["li"]  # a Sunday
