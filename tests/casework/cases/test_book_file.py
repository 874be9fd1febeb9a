"""A faulty book names every fault with its place, all in one go."""

from __future__ import annotations

import pytest

from casework.cases.book import Book
from casework.cases.book_file import DEFAULT, read_book
from casework.workdays import Span
from rules.calendar import day_from_text
from streams.errors import FileFaults
from tests.casework.cases.a_case import BOOK, CATALOG, POLICY

TEXT = DEFAULT.read_text("utf-8")


def read(text: str) -> Book:
    return read_book("casework.yaml", catalog=CATALOG, policy=POLICY, raw=text.encode())


def faults(*changes: tuple[str, str]) -> list[str]:
    text = TEXT
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    with pytest.raises(FileFaults) as raised:
        read(text)
    return [str(fault) for fault in raised.value.faults]


def line(text: str) -> int:
    return TEXT[: TEXT.index(text)].count("\n") + 1


def test_the_book_of_wuchang() -> None:
    assert list(BOOK.levels) == [level.id for level in POLICY.levels]
    assert BOOK.levels["red"].within == {
        "acknowledge": Span(1, "h"),
        "visit": Span(12, "h"),
        "help": Span(24, "h"),
    }
    for level in ("blue", "yellow", "orange"):
        assert BOOK.levels[level].within["visit"] == Span(3, "wd")
        assert BOOK.levels[level].within["help"] == Span(15, "d")
    assert list(BOOK.difficulties) == ["none", "light", "moderate", "severe"]
    assert BOOK.after_care.codes == {"no-need", "helped-already"}
    assert BOOK.baselines == ()
    assert BOOK.granted["dibao"].type == "benefit.dibao.granted"


def test_a_calendar_and_baselines() -> None:
    book = read(
        TEXT
        + "\ncalendar: {work: [2061-01-08], off: [2061-01-03], years: [2061]}"
        + "\nbaseline:\n  - {until: 2026-12-01T00:00:00+08:00, per_day: 8}"
        + "\n  - {prefix: '420106003', until: 2026-12-05T00:00:00+08:00, per_day: 3, settles: 3d}\n"
    )
    assert book.workdays.is_workday(day_from_text("2061-01-08")) == (True, False)
    assert book.workdays.is_workday(day_from_text("2061-01-03")) == (False, False)
    assert [(one.prefix, one.per_day, str(one.settles)) for one in book.baselines] == [
        ("", 8, "24h"), ("420106003", 3, "3d"),
    ]  # fmt: skip
    assert book.baseline("420106003005", book.baselines[1].until - 1) is book.baselines[1]
    assert book.baseline("420106003005", book.baselines[1].until) is None
    assert book.baseline(None, 0) is book.baselines[0]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("help: 15d", "help: soon", "help must be a span such as 1h, 15d, 4wh or 3wd, not `soon`"),
        ("visit: 12h", "visits: 12h", "unknown key `visits` in a level (did you mean `visit`?"),
        ("id: red", "id: violet", "the policy has no level `violet`"),
        ("id: yellow", "id: blue", "the level `blue` stands twice"),
        ("timezone: Asia/Shanghai", "timezone: Asia/Wuhan", "unknown timezone `Asia/Wuhan`"),
        ('"09:00-17:00"', '"17:00-09:00"', "office_hours must end after they begin"),
        ('"09:00-17:00"', '"9-5"', "office_hours `9-5` is malformed"),
        ("severity: 3", "severity: much", "severity must be a number, not `much`"),
        ("grace: 5wd", "mercy: 5wd", "unknown key `mercy` in commitment"),
        ("[no-need, helped-already]", "[no-need, helpt]", "unknown close code `helpt`"),
        ("flags: 3", "flags: 1", "flags must be from 2 to 100, not 1"),
        ("reopen_within: 90d", "reopen_within: 0d", "reopen_within must be a span"),
        ("department: civil-affairs", "department: civil-affair", "unknown department `civil-affair`"),
        ("benefit.dibao.granted", "benefit.dibao.given", "the catalogue has no type `benefit.dibao.given`"),
        ("benefit.dibao.granted", "benefit.medical-aid.granted", "`civil-affairs` may not send"),
        ("amount: monthly_yuan", "amount: yuan", "`benefit.dibao.granted` has no field `yuan`"),
        (", amount: monthly_yuan}", "}", "leaves out what `benefit.dibao.granted` requires: monthly_yuan"),
        ("category: dibao-margin", "category: rich", "`category` cannot be `rich`"),
        ("field: severity", "field: need", "must be about the household, with a whole number `need`"),
    ],
)
def test_each_fault_has_its_place(before: str, after: str, fault: str) -> None:
    found = faults((before, after))
    assert any(fault in one and one.startswith(f"casework.yaml:{line(before)}:") for one in found), found


def test_a_fault_of_two_places_is_told_where_they_meet() -> None:
    (fault,) = faults(("severity: 3", "severity: 4"))
    assert fault.startswith(f"casework.yaml:{line('assessed:')}:13: `community.visit.recorded` must be")
    assert any(
        one.startswith(f"casework.yaml:{line('commitment:') + 1}:3: commitment lacks the key `grace`")
        for one in faults(("grace: 5wd", "mercy: 5wd"))
    )


def test_every_fault_in_one_go() -> None:
    found = faults(("help: 15d", "help: soon"), ("grace: 5wd", "grace: 5"), ("flags: 3", "flags: many"))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("calendar: {work: [2061-02-30]}", "`2061-02-30` is no date"),
        ("calendar: {work: [2061-01-08], off: [2061-01-08]}", "the day 2061-01-08 stands twice"),
        ("calendar: {years: [61]}", "a year `61` is malformed"),
        ("baseline: [{until: tomorrow, per_day: 8}]", "`tomorrow` is no instant"),
        ("baseline: [{until: 2026-12-01T00:00:00+08:00, per_day: 0}]", "per_day must be from 1 to 1000"),
        (
            "baseline: [{prefix: 42, until: 2026-12-01T00:00:00+08:00, per_day: 1}]",
            "prefix `42` is malformed",
        ),
    ],
)
def test_faults_of_calendar_and_baseline(more: str, fault: str) -> None:
    with pytest.raises(FileFaults, match=fault):
        read(f"{TEXT}\n{more}\n")


def test_levels_are_those_of_the_policy_in_their_order() -> None:
    blue = TEXT[TEXT.index("  - id: blue") : TEXT.index("  - id: yellow")]
    assert any("the levels lack: blue" in fault for fault in faults((blue, "")))


def test_it_reads_without_catalogue_and_policy() -> None:
    book = read_book(DEFAULT, catalog=None, policy=None)
    assert book.assessed == ("community.visit.recorded", "severity")
