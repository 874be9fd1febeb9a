"""Counting by hand: a district of few families, what each row says, and that order does not matter."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.yields.counting import MEMBERS_ONLY, NOWHERE, UNKNOWN, Cohort, Counts, Yield, count
from casework.yields.course import Courses
from casework.yields.rates import FEW, rate, wilson
from rules.calendar import Calendar, day_from_text
from tests.casework.cases.a_case import COMMUNITY, DAY, MONDAY, OTHER, instant
from tests.casework.yields.a_district import ENDINGS, NO_NEED, Family, courses, opened

WUHAN = Calendar("Asia/Shanghai")
COHORT = Cohort(WUHAN)
LEVELS = ("blue", "yellow", "orange", "red")


def counted(*families: Family, cohort: Cohort = COHORT) -> Yield:
    return count(courses(*families), cohort, levels=LEVELS, no_need=NO_NEED)


def rows(found: Yield, dimension: str) -> dict[str, Counts]:
    return {row.id: row.counts for row in found.by[dimension]}


def ended(family: Family, *endings: str) -> Family:
    for ending in endings:
        ENDINGS[ending](family)
    return family


def district() -> list[Family]:
    """Seven families: what is to come out is worked out by hand below."""
    return [
        ended(opened("A1", "bills", "job-lost", job_lost="human-resources"), "helped"),
        ended(opened("A2", "bills", level="red"), "assisted"),
        ended(opened("A3", "bills"), "no need"),
        ended(opened("A4", "job-lost", community=OTHER, job_lost="human-resources"), "refused"),
        ended(opened("A5", "job-lost", community=OTHER, job_lost="human-resources"), "met"),
        ended(opened("A6", "bills", community=None, level="blue"), "data wrong"),
        ended(opened("A7", "bills", "job-lost", at=MONDAY + 40 * DAY), "duplicate"),
    ]


def test_the_total_is_of_cases_and_the_rates_of_those_of_which_it_is_known() -> None:
    total = counted(*district()).total
    assert (total.warned, total.open, total.waiting) == (7, 2, 1)
    assert (total.acknowledged, total.visited, total.need, total.helped) == (6, 4, 2, 2)
    assert total.codes == {"helped": 1, "no-need": 1, "refused": 1, "data-wrong": 1, "duplicate": 1}
    # Visited: A1, A2, A3, A5 of all six that are no duplicate; none waits for its visit.
    assert (total.visited_of_warned.hits, total.visited_of_warned.of) == (4, 6)
    # Need among the visited: A1, A2; not A3; of A5 nobody knows yet.
    assert (total.need_of_visited.hits, total.need_of_visited.of) == (2, 3)
    assert (total.helped_of_need.hits, total.helped_of_need.of) == (2, 2)
    # The yield: A1, A2 of A1, A2, A3, A4, A6.
    assert (total.need_of_warned.hits, total.need_of_warned.of) == (2, 5)
    assert total.need_of_warned.share == pytest.approx(0.4)


def test_a_case_stands_under_each_of_its_indicators_and_departments() -> None:
    found = counted(*district())
    by = rows(found, "indicator")
    assert {id: one.warned for id, one in by.items()} == {"bills": 5, "job-lost": 4}
    assert sum(one.warned for one in by.values()) > found.total.warned
    assert (by["job-lost"].need, by["job-lost"].helped, by["job-lost"].visited) == (1, 1, 2)
    # A7's loss of a job was told by the health department.
    assert {id: one.warned for id, one in rows(found, "department").items()} == {
        "health": 5, "human-resources": 3
    }  # fmt: skip


def test_communities_streets_levels_and_months_part_the_cases() -> None:
    found = counted(*district())
    assert {id: one.warned for id, one in rows(found, "community").items()} == {
        COMMUNITY: 4, OTHER: 2, NOWHERE: 1
    }  # fmt: skip
    assert {id: one.warned for id, one in rows(found, "street").items()} == {
        COMMUNITY[:9]: 4, OTHER[:9]: 2, NOWHERE: 1
    }  # fmt: skip
    assert [row.id for row in found.by["level"]] == ["blue", "orange", "red"]
    assert [(row.id, row.counts.warned) for row in found.by["month"]] == [("2026-03", 6), ("2026-04", 1)]
    for dimension in ("community", "street", "level", "month"):
        assert sum(row.counts.warned for row in found.by[dimension]) == found.total.warned


def test_a_young_cohort_is_not_read_as_a_poor_one() -> None:
    young = [opened(f"B{n}") for n in range(20)]
    ended(young[0], "assisted")
    total = counted(*young).total
    assert (total.warned, total.open, total.waiting) == (20, 20, 19)
    assert (total.need_of_warned.hits, total.need_of_warned.of, total.need_of_warned.share) == (1, 1, 1.0)
    assert total.need_of_warned.is_faint
    assert (total.visited_of_warned.hits, total.visited_of_warned.of) == (1, 1)


def test_a_cohort_is_of_the_days_of_opening_both_inclusive_in_the_policys_zone() -> None:
    families = [
        opened("C1", at=instant("2026-03-01T23:59")),
        opened("C2", at=instant("2026-03-02T00:00")),
        opened("C3", at=instant("2026-03-03T23:59")),
        opened("C4", at=instant("2026-03-04T00:00")),
    ]
    since, until = day_from_text("2026-03-02"), day_from_text("2026-03-03")
    assert counted(*families, cohort=Cohort(WUHAN, since, until)).total.warned == 2
    assert counted(*families, cohort=Cohort(WUHAN, since)).total.warned == 3
    assert counted(*families, cohort=Cohort(WUHAN, None, until)).total.warned == 3


def test_a_cohort_of_a_street_has_all_its_communities_and_no_household_without_one() -> None:
    assert counted(*district(), cohort=Cohort(WUHAN, community="420106003")).total.warned == 4
    assert counted(*district(), cohort=Cohort(WUHAN, community="420106")).total.warned == 6


def test_departments_that_are_not_known_have_rows_of_their_own() -> None:
    family = Family("D1")
    family.warn(1, because=[{"indicator": "single-parent", "dimension": "care", "points": 9, "facts": []}])
    found = count(courses(family), COHORT)
    assert list(rows(found, "department")) == [MEMBERS_ONLY]
    found = count(courses(*district(), with_warnings=False), COHORT)
    assert list(rows(found, "department")) == [UNKNOWN]


def test_nothing_at_all_is_nothing() -> None:
    found = counted()
    assert (found.total.warned, found.total.need_of_warned.share, found.wrong_data) == (0, None, [])
    assert all(found.by[dimension] == [] for dimension in found.by)


def test_no_household_stands_in_what_is_counted() -> None:
    told = msgspec.json.encode(counted(*district())).decode()
    assert not [family.name for family in district() if family.name in told]


@given(st.randoms(use_true_random=False))
def test_the_order_between_households_does_not_matter(mixing: random.Random) -> None:
    streams = [stream for family in DISTRICT for stream in (family.records, family.warnings)]
    found = Courses()
    while streams := [stream for stream in streams if stream]:
        chosen = mixing.choice(streams)
        found.take(chosen[0])
        chosen.pop(0) if mixing.random() < 0.8 else None  # else it stands there twice
    assert count(found, COHORT, levels=LEVELS, no_need=NO_NEED) == WHOLE


class Frozen:
    """A family's records, made once."""

    def __init__(self, family: Family) -> None:
        self._records, self._warnings = family.records, family.warnings

    @property
    def records(self) -> list[bytes]:
        return list(self._records)

    @property
    def warnings(self) -> list[bytes]:
        return list(self._warnings)


DISTRICT = [Frozen(family) for family in district()]
WHOLE = counted(*district())


# -- rates -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3: the score interval.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_the_literature(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(drawn: tuple[int, int]) -> None:
    hits, of = drawn
    low, high = wilson(hits, of)
    assert 0 <= low <= hits / of <= high <= 1
    assert high - low > 0


def test_of_nothing_nothing_is_known_and_of_few_little() -> None:
    assert rate(0, 0).share is None
    assert wilson(0, 0) == (0.0, 1.0)
    assert rate(3, FEW - 1).is_faint
    assert not rate(3, FEW).is_faint
    for hits, of in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="hits"):
            wilson(hits, of)
