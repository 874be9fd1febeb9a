"""Small counts are hidden, and cannot be worked out from the sums that are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.yields.small_cells import LEAST, hidden, is_small

A1, A2, A3, B1, B2 = "420106003001", "420106003002", "420106003003", "420106004001", "420106004002"


def streets_of(communities: dict[str, int]) -> dict[str, int]:
    streets: dict[str, int] = {}
    for code, count in communities.items():
        streets[code[:9]] = streets.get(code[:9], 0) + count
    return streets


def hide(**counts: int) -> tuple[set[str], set[str]]:
    communities = {globals()[name]: count for name, count in counts.items()}
    return hidden(communities, streets_of(communities))


def test_1_and_2_are_small_and_0_is_not() -> None:
    assert [is_small(count) for count in range(5)] == [False, True, True, False, False]
    assert LEAST == 3


def test_what_is_large_enough_is_shown() -> None:
    assert hide(A1=3, A2=0, B1=40) == (set(), set())


def test_the_only_small_one_of_a_street_hides_the_next_smallest_with_it() -> None:
    assert hide(A1=2, A2=9, A3=5, B1=7) == ({A1, A3}, set())


def test_two_small_ones_of_a_street_hide_each_other() -> None:
    assert hide(A1=2, A2=1, A3=9, B1=7) == ({A1, A2}, set())


def test_where_a_street_has_nobody_else_it_is_hidden_and_another_street_with_it() -> None:
    low, high = hide(A1=1, B1=5, B2=8)
    assert high == {A1[:9], B1[:9]}
    assert {A1, B1} <= low


@given(
    st.dictionaries(
        st.builds(lambda s, c: f"42010600{s}00{c}", st.integers(1, 4), st.integers(1, 4)),
        st.integers(0, 6),
        max_size=10,
    )
)
def test_no_sum_tells_what_is_hidden(communities: dict[str, int]) -> None:
    streets = streets_of(communities)
    low, high = hidden(communities, streets)
    assert all(code in low for code, count in communities.items() if is_small(count))
    assert all(code in high for code, count in streets.items() if is_small(count))
    if len([count for count in streets.values() if count]) < 2:
        return  # the sum of the district tells what the sum of the street would
    if low == communities.keys() and high == streets.keys():
        return  # nothing is shown but the sum of the district
    sums = [[code for code in low if code[:9] == street] for street in streets.keys() - high]
    sums.append([code for code in low if code[:9] in high])  # what is missing of the sum of the district
    for codes in sums:
        if codes and sum(communities.values()) > len([one for one in communities.values() if one]):
            assert len(codes) > 1, (communities, low, high)
            assert sum(communities[code] for code in codes) > len(codes), (communities, low, high)
    if high and sum(streets.values()) > len([one for one in streets.values() if one]):
        assert len(high) > 1
        assert sum(streets[one] for one in high) > len(high)
    for street in high:  # its communities' sum would be that of the street
        assert any(code in low for code in communities if code[:9] == street)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_district_of_one_community_is_what_its_sum_says(count: int) -> None:
    low, high = hidden({A1: count}, {A1[:9]: count})
    assert (bool(low), bool(high)) == (is_small(count), is_small(count))
