"""No small number can be worked out from what a yield shows, in whichever way it is narrowed and printed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from casework.cases.case import Measure
from casework.yields.counting import CODES, DIMENSIONS, RATES, Cohort, Counts, Yield, count
from casework.yields.course import Course, Courses
from casework.yields.hiding import COUNTS
from casework.yields.small_cells import is_small
from hearthwatch.yields.on_terminal import tables
from hearthwatch.yields.page import page
from hearthwatch.yields.shown import PLACES, Naming, show
from rules.calendar import Calendar
from tests.casework.cases.a_case import CATALOG, DAY, MONDAY, POLICY

CALENDAR = Calendar(POLICY.timezone)
DISTRICT, STREET, COMMUNITY = "420106", "420106001", "420106001001"
COMMUNITIES = (COMMUNITY, "420106001002", "420106001003", "420106002001", "420106003001", None)
LEVELS = ("yellow", "orange", "red")
DEPARTMENTS = ("health", "housing", "civil-affairs")
STEPS = ("waiting", "acknowledged", "met", "assessed", "helped", *CODES)
NARROW = (STREET, COMMUNITY)
"""Where all is hidden that is small; of a district only what its communities and streets tell."""
PRIME = (1 << 61) - 1

Cell = tuple[str, str, str]
Shown = dict[str, Any]


class Town(Courses):
    """Cases as they are drawn, and the departments behind each."""

    def __init__(self, drawn: Sequence[tuple[int, int, int, int, int, int]]) -> None:
        super().__init__()
        self.all = [_course(number, *one) for number, one in enumerate(drawn)]
        self.behind = {one.warnings[0]: frozenset(DEPARTMENTS[d] for d in _bits(drawn[i][4]))
                       for i, one in enumerate(self.all)}  # fmt: skip

    def __iter__(self) -> Iterator[Course]:
        return iter(self.all)

    def departments(self, course: Course) -> frozenset[str]:
        return self.behind[course.warnings[0]]

    def counted(self, community: str = "", by: Any = DIMENSIONS) -> Yield:
        return count(self, Cohort(CALENDAR, community=community), by=by, levels=LEVELS, no_need={"none"},
                     departments=CATALOG.departments)  # fmt: skip

    def around(self, community: str) -> list[Yield]:
        return [self.counted(code, PLACES) for code in ("", DISTRICT)] if community in NARROW else []

    def shown(self, community: str = "") -> Shown:
        found = show(self.counted(community), NAMING, community=community, around=self.around(community))
        return cast(Shown, msgspec.to_builtins(found))


NAMING = Naming(POLICY, CATALOG, "en")


def _bits(number: int) -> list[int]:
    return [bit for bit in range(3) if number >> bit & 1]


def _course(number: int, place: int, level: int, month: int, step: int, behind: int, more: int) -> Course:
    name = STEPS[step]
    code = name if name in CODES else None
    met = name in ("met", "assessed", "helped", "no-need") or bool(more & 1 and code)
    return Course(
        opened=MONDAY + 31 * month * DAY,
        version=1,
        level=LEVELS[level],
        community=COMMUNITIES[place],
        is_baseline=bool(more & 2),
        indicators={f"i{bit}" for bit in _bits(behind)},
        warnings=[str(number)],
        was_acknowledged=met or name != "waiting",
        was_met=met,
        found="none" if name == "no-need" else "severe" if met and name != "met" else None,
        measures=[Measure("dibao", "delivered", "li")] if name == "helped" else [],
        code=cast(Any, code),
        source="housing" if code == "data-wrong" else None,
        joined=more & 1,
        reopened=1 if more == 3 else 0,
    )


def _columns(counts: Counts) -> dict[str, int]:
    """Every number of a row as it is."""
    found = {name: getattr(counts, name) for name in COUNTS}
    for name in RATES:
        found |= {f"{name}.hits": getattr(counts, name).hits, f"{name}.of": getattr(counts, name).of}
    return found | {f"code:{code}": counts.codes.get(code, 0) for code in CODES}


def _seen(row: dict[str, Any]) -> dict[str, int]:
    """The numbers of a row that are shown."""
    found = {name: number for name, number in row["counts"].items() if number is not None}
    for name, rate in row["rates"].items():
        if rate is not None:
            found |= {f"{name}.hits": rate["hits"], f"{name}.of": rate["of"]}
    if row["codes"] is not None:
        found |= {f"code:{code}": row["codes"].get(code, 0) for code in CODES}
    return found


def told(truth: Yield, shown: Shown) -> dict[Cell, int]:
    """The small numbers that somebody who solves equations finds in what is shown, hidden as they are."""
    rows = {("", ""): (truth.total, shown["total"])}
    for dimension, table in shown["by"].items():
        real = {row.id: row.counts for row in truth.by[dimension]}
        rows |= {(dimension, row["id"]): (real[row["id"]], row) for row in table}
    values = {
        (*at, column): number for at, (real, _) in rows.items() for column, number in _columns(real).items()
    }
    known = {(*at, column): number for at, (_, row) in rows.items() for column, number in _seen(row).items()}
    assert all(values[cell] == number for cell, number in known.items())
    equations: list[dict[Cell, int]] = []
    columns = list(_columns(truth.total))
    for dimension in ("community", "street", "level", "month"):
        ids = [id for at, id in rows if at == dimension]
        for column in columns if ids else ():
            equations += [{("", "", column): -1} | {(dimension, id, column): 1 for id in ids}]
    for street in [id for at, id in rows if at == "street"]:
        under = [id for at, id in rows if at == "community" and id.startswith(street)]
        for column in columns if under else ():
            parts = {("community", id, column): 1 for id in under}
            equations += [{("street", street, column): -1} | parts]
    for at in rows:
        codes = {(*at, f"code:{code}"): 1 for code in CODES}
        equations.append({(*at, "warned"): -1, (*at, "open"): 1} | codes)
        decided = ("waiting", "need_of_warned.of", "code:duplicate")
        equations.append({(*at, "warned"): -1} | {(*at, part): 1 for part in decided})
    found = _solved(equations, known) | known.keys()
    return {
        cell: number
        for cell, number in values.items()
        if is_small(number) and cell in found and (cell[0] in PLACES or shown["community"] in NARROW)
    }


def _solved(equations: list[dict[Cell, int]], known: dict[Cell, int]) -> set[Cell]:
    """The unknowns that linear equations settle: those that stand alone in a row of the reduced system.

    Where all parts of a sum are at their least, each is settled too; what has a row has a case.
    """
    found: set[Cell] = set()
    values = dict(known)
    while True:
        settled = len(values)
        reduced: dict[Cell, dict[Cell, int]] = {}
        for equation in equations:
            row: dict[Cell, int] = {}
            constant = 0
            for cell, times in equation.items():
                if cell in values:
                    constant += times * values[cell]
                else:
                    row[cell] = times % PRIME
            signs = {equation[cell] for cell in row}
            least = {cell: 1 if cell[2] == "warned" and cell[0] else 0 for cell in row}
            if row and len(signs) == 1 and constant + signs.pop() * sum(least.values()) == 0:
                values |= least
                found |= row.keys()
                continue
            while True:  # eliminate what leads another row already
                led = next((cell for cell in row if cell in reduced), None)
                if led is None:
                    break
                times = row[led]
                for cell, other in reduced[led].items():
                    row[cell] = (row.get(cell, 0) - times * other) % PRIME
                row = {cell: number for cell, number in row.items() if number}
            if row:
                lead = next(iter(row))
                inverse = pow(row[lead], -1, PRIME)
                row = {cell: number * inverse % PRIME for cell, number in row.items()}
                for other_lead, other_row in reduced.items():
                    if lead in other_row:
                        times = other_row.pop(lead)
                        for cell, number in row.items():
                            if cell != lead:
                                changed = (other_row.get(cell, 0) - times * number) % PRIME
                                if changed:
                                    other_row[cell] = changed
                                else:
                                    other_row.pop(cell, None)
                        assert other_lead in other_row
                reduced[lead] = row
        found |= {lead for lead, row in reduced.items() if len(row) == 1}
        if len(values) == settled:
            return found


DRAWN = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 2), st.integers(0, 3), st.integers(0, len(STEPS) - 1),
        st.integers(0, 7), st.integers(0, 3),
    ),
    min_size=1,
    max_size=40,
)  # fmt: skip


@given(DRAWN, st.sampled_from(["", DISTRICT, STREET, COMMUNITY]))
@settings(max_examples=200, deadline=None)
def test_no_sum_tells_what_a_yield_hides(
    drawn: list[tuple[int, int, int, int, int, int]], community: str
) -> None:
    town = Town(drawn)
    assert told(town.counted(community), town.shown(community)) == {}


@given(DRAWN)
@settings(max_examples=40, deadline=None)
def test_a_part_shows_nothing_that_the_district_hides_of_it(
    drawn: list[tuple[int, int, int, int, int, int]],
) -> None:
    town = Town(drawn)
    for dimension, code in (("street", STREET), ("community", COMMUNITY)):
        part = _seen(town.shown(code)["total"])
        for row in (*town.shown()["by"][dimension], *town.shown(DISTRICT)["by"][dimension]):
            if row["id"] == code:
                assert part.keys() <= _seen(row).keys()


def crowd(*groups: tuple[int, dict[str, int]]) -> Town:
    """So many cases of each kind; by what is not 0."""
    names = ("place", "level", "month", "step", "behind", "more")
    return Town(
        [tuple(kind.get(name, 0) for name in names) for times, kind in groups for _ in range(times)]  # type: ignore[misc]
    )


def counts(shown: Shown, dimension: str, name: str = "warned") -> dict[str, int | None]:
    return {row["id"]: row["counts"][name] for row in shown["by"][dimension]}


def test_within_a_community_levels_and_months_do_not_tell_by_subtraction() -> None:
    town = crowd((9, {}), (2, {"level": 1, "month": 1}), (5, {"level": 2, "month": 2}))
    shown = town.shown(COMMUNITY)
    assert shown["total"]["counts"]["warned"] == 16
    # 16 less 9 and 5 would tell the 2: the next smallest goes with it.
    assert counts(shown, "level") == {"yellow": 9, "orange": None, "red": None}
    assert sorted(counts(shown, "month").values(), key=str) == [9, None, None]
    assert told(town.counted(COMMUNITY), shown) == {}


def test_a_share_of_one_family_is_hidden_though_its_counts_are_large() -> None:
    step = {name: number for number, name in enumerate(STEPS)}
    # Three were met and found in need, two of them are another case's duplicates.
    town = crowd(
        (2, {"step": step["duplicate"], "more": 1}), (1, {"step": step["assessed"]}), (9, {}),
        (1, {"step": step["duplicate"]}), (3, {"step": step["deceased"]}),
    )  # fmt: skip
    truth = town.counted(COMMUNITY).total
    assert (truth.visited, truth.visited_of_warned.hits) == (3, 1)
    total = town.shown(COMMUNITY)["total"]
    assert total["counts"]["visited"] == 3
    assert total["rates"]["visited_of_warned"] is None


def test_where_each_row_is_one_family_no_row_is_shown() -> None:
    town = crowd(*((1, {"month": month}) for month in range(4)))
    shown = town.shown(COMMUNITY)
    assert shown["total"]["counts"]["warned"] == 4
    assert shown["by"]["month"] == []  # four rows and four cases
    assert shown["withheld"] == ["month"]
    assert counts(shown, "level") == {"yellow": 4}


def test_of_fewer_than_three_cases_nothing_is_shown() -> None:
    town = crowd((2, {"step": 2}), (8, {"place": 1}))
    shown = town.shown(COMMUNITY)
    assert set(shown["total"]["counts"].values()) == {None}
    assert shown["total"]["codes"] is None
    assert not any(shown["by"].values())
    assert shown["withheld"] == list(DIMENSIONS)


def test_the_neighbour_of_a_hidden_community_hides_it_when_asked_for_alone() -> None:
    town = crowd((12, {}), (1, {"place": 1}), (20, {"place": 3}))
    assert counts(town.shown(), "community")[COMMUNITY] is None
    assert town.shown(COMMUNITY)["total"]["counts"]["warned"] is None
    assert town.shown(STREET)["total"]["counts"]["warned"] == 13


def test_a_bound_does_not_tell_either() -> None:
    """All twelve were answered for: whoever reads that knows that there are twelve, and one next door."""
    town = crowd((12, {"step": STEPS.index("acknowledged")}), (1, {"place": 1}), (20, {"place": 3}))
    shown = town.shown()
    assert counts(shown, "street")[STREET] == 13
    assert counts(shown, "community", "warned")[COMMUNITY] is None
    assert counts(shown, "community", "acknowledged")[COMMUNITY] is None


def test_a_part_needs_its_district() -> None:
    town = crowd((5, {}))
    with pytest.raises(ValueError, match="depends on all of its district"):
        show(town.counted(COMMUNITY), NAMING, community=COMMUNITY)


@pytest.mark.parametrize(("community", "language"), list(product(["", STREET, COMMUNITY], ["en", "zh"])))
def test_nothing_that_is_printed_has_what_the_shown_has_not(community: str, language: Any) -> None:
    """The same page, table and JSON come of two towns that differ in nothing but a hidden number."""
    outputs = []
    for few, next_few in ((2, 4), (1, 5)):
        near, far = (0, 0) if community == COMMUNITY else (1, 2)
        town = crowd((40, {"behind": 1}), (few, {"level": 1, "month": 1, "behind": 1, "place": far}),
                     (next_few, {"level": 2, "month": 2, "behind": 1, "place": near}))  # fmt: skip
        by = ("community", "street") if not community else DIMENSIONS
        found = show(
            town.counted(community), Naming(POLICY, CATALOG, language), by, community=community,
            around=town.around(community),
        )  # fmt: skip
        console = Console(file=io.StringIO(), width=200)
        for piece in tables(found, language):
            console.print(piece)
        outputs.append((page(found, language), cast(io.StringIO, console.file).getvalue(), json.dumps(
            msgspec.to_builtins(found))))  # fmt: skip
    assert outputs[0] == outputs[1]
