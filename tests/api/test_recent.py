"""The latest warnings: which are kept, and in which order."""

from __future__ import annotations

from hearthwatch.api.recent import RecentWarnings, place_of, place_text
from tests.api.town import HERE, warning


def recent(most: int = 100) -> RecentWarnings:
    return RecentWarnings({}, most=most)


def ids(found: RecentWarnings, before: tuple[int, int, int] | None = None) -> list[str]:
    return [one.warning.message["id"] for one in found.newest_first(before)]


def test_they_are_in_the_order_of_the_brokers_time_whatever_partition_was_read_first() -> None:
    found = recent()
    found.take((30, 0, 0), warning("H1", 1, HERE))
    found.take((10, 1, 0), warning("H2", 1, HERE))
    found.take((20, 1, 1), warning("H3", 1, HERE))
    assert ids(found) == ["H1-1", "H3-1", "H2-1"]


def test_a_repeat_is_shown_once_and_what_is_no_warning_never() -> None:
    found = recent()
    found.take((1, 0, 0), warning("H1", 1, HERE))
    found.take((2, 0, 1), warning("H1", 1, HERE))
    found.take((3, 0, 2), b"{}")
    found.take((4, 0, 3), None)
    assert ids(found) == ["H1-1"]


def test_only_the_latest_are_kept() -> None:
    found = recent(most=3)
    for n in range(10):
        found.take((n, 0, n), warning(f"H{n}", 1, HERE))
    assert ids(found) == ["H9-1", "H8-1", "H7-1"]


def test_a_page_goes_on_where_the_one_before_ended_although_more_came() -> None:
    found = recent()
    for n in range(5):
        found.take((n, 0, n), warning(f"H{n}", 1, HERE))
    cursor = place_of(place_text((3, 0, 3)))
    found.take((9, 0, 9), warning("H9", 1, HERE))
    assert ids(found, cursor) == ["H2-1", "H1-1", "H0-1"]


def test_what_is_no_cursor_is_none() -> None:
    for text in ("", "1", "1-2", "1-2-x", "1-2-3-4", "-1-2-3", "1-2-" + "9" * 30, "１-2-3"):
        assert place_of(text) is None, text
