"""The desk's own words: scopes as ranges of the index, and places in the changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest

from agents.ledger import Ledger
from hearthwatch.desk import Desk
from hearthwatch.desk.desk import prefixes
from hearthwatch.desk.following import _place, _place_text, read_event
from hearthwatch.settings import load_settings
from streams.errors import InputError
from streams.timestamps import HOUR


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


async def test_what_is_late_goes_by_what_time_it_is_for_the_log() -> None:
    ten = 1_772_416_800_000_000
    members = [f"420106003005|red|new|{ten + hour * HOUR:016d}|H{hour}|H{hour}-1" for hour in range(3)]

    class LoggedDesk(Desk):
        async def now(self) -> int:
            return ten + HOUR

        async def _members(self, scope: object, after: str | None) -> AsyncIterator[str]:
            for member in members:
                yield member

    desk = LoggedDesk(load_settings(clock="log"), cast(Ledger, None))
    page = await desk.cases(None)
    assert [one.is_overdue for one in page.cases] == [True, True, False]
    assert [one.id for one in (await desk.cases(None, overdue=True)).cases] == ["H0-1", "H1-1"]
    assert [(one.cases, one.overdue) for one in await desk.counts()] == [(3, 2)]
