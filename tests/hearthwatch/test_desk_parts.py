"""The desk's own words: scopes as ranges of the index, and places in the changes."""

from __future__ import annotations

import pytest

from hearthwatch.desk.desk import prefixes
from hearthwatch.desk.following import _place, _place_text, read_event
from streams.errors import InputError


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (None, [""]),
        ((), []),
        (("420106003006", "420106003005"), ["420106003005", "420106003006"]),
        (("420106003", "420106003005", "420106004"), ["420106003", "420106004"]),
        (("420106",), ["-|", "420106"]),
        (("420106003005", "420106"), ["-|", "420106"]),
    ],
)
def test_a_scope_is_ranges_in_their_order_none_within_another(
    scope: tuple[str, ...] | None, expected: list[str]
) -> None:
    assert prefixes(scope) == expected


def test_a_place_is_read_as_it_was_written() -> None:
    assert _place(_place_text({"0": 17, "1": 4, "12": 0})) == {"0": 17, "1": 4, "12": 0}


@pytest.mark.parametrize("text", ["", "x", "0", "0:", ":1", "0:1.", "0:-1", "0:1,1:2", "٠:1"])
def test_what_is_no_place_is_said(text: str) -> None:
    with pytest.raises(InputError, match="a place in the changes looks like"):
        _place(text)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"{}", b'{"data": 1}', b'{"data": {}}', b"\xff"])
def test_what_is_no_event_is_passed_over(value: bytes | None) -> None:
    assert read_event(value) is None
