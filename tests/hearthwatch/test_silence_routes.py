"""Silences go by the routes that hold, and not by those before, which the ledger keeps beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from agents.ledger import Ledger
from casework.alerts.inputs import ROUTES_KEY, RoutesInForce, encode_held
from hearthwatch.cli.silence import _routes
from hearthwatch.settings import load_settings
from hearthwatch.silences import Silences
from streams.partitions import partition_of
from tests.casework.cases.a_case import POLICY

HERE = "420106007003"
ROUTES = """\
routes: live
version: 1
timezone: {zone}
link: https://console.example/cases/{case}
desk: desk
channels:
  - {id: out, kind: file, path: out.jsonl}
teams:
  - {id: desk, tier: district, for: ["420106"], channels: [out]}
"""


def routes(zone: str) -> bytes:
    return ROUTES.replace("{zone}", zone).encode()


class Kept:
    """What a ledger holds of dispatch: partition -> key -> state, and the marks of each."""

    def __init__(self, states: dict[int, dict[str, bytes]], marks: dict[int, Sequence[int]]) -> None:
        self.states, self.by_partition = states, marks

    async def scan(self, stage: str, topic: str, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        for one in self.states.get(partition, {}).items():
            yield one

    async def read(self, stage: str, topic: str, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        return [self.states[partition].get(key) for key in keys]

    async def marks(self, stage: str, topic: str, partition: int) -> dict[str, tuple[int, int]]:
        """As a log that moves on: each look finds the next, and then the last again."""
        left = list(self.by_partition.get(partition, ()))
        if len(left) > 1:
            self.by_partition[partition] = left[1:]
        return {ROUTES_KEY: (left[0], 0)} if left else {}


def state(zone: str) -> bytes:
    return encode_held(RoutesInForce("0" * 64, routes(zone).decode()))


async def silences(kept: Kept, partitions: int = 2) -> Silences:
    found = Silences(load_settings(), cast(Ledger, kept))
    found._partitions = partitions
    await found.look()
    return found


@pytest.fixture
def mine() -> int:
    return partition_of(HERE[:6].encode(), 2)


async def test_only_the_routes_that_the_mark_names_are_read(mine: int) -> None:
    states = {f"{ROUTES_KEY}-4": state("Asia/Urumqi"), f"{ROUTES_KEY}-9": state("Asia/Shanghai")}
    found = await silences(Kept({mine: states}, {mine: [9]}))
    assert found.routes == {mine: routes("Asia/Shanghai")}
    assert found.routes_for(HERE) == found.routes_for("") == routes("Asia/Shanghai")


async def test_routes_that_change_while_they_are_read_are_read_again(mine: int) -> None:
    found = await silences(Kept({mine: {f"{ROUTES_KEY}-9": state("Asia/Shanghai")}}, {mine: [4, 9]}))
    assert found.routes == {mine: routes("Asia/Shanghai")}


async def test_without_a_mark_or_its_state_the_log_has_none(mine: int) -> None:
    states = {f"{ROUTES_KEY}-4": state("Asia/Urumqi")}
    for marks in ([], [9]):
        found = await silences(Kept({mine: states}, {mine: marks}))
        assert found.routes == {}
        assert found.routes_for(HERE) is None


async def test_the_zone_is_that_of_the_partition_that_decides_for_the_community(
    mine: int, tmp_path: Path
) -> None:
    states = {
        mine: {f"{ROUTES_KEY}-1": state("Asia/Shanghai")},
        1 - mine: {f"{ROUTES_KEY}-1": state("Asia/Urumqi")},
    }
    found = await silences(Kept(states, {0: [1], 1: [1]}))
    settings = load_settings()
    read, zone = _routes(settings, POLICY, found, HERE)
    assert (str(zone), len(read)) == ("Asia/Shanghai", 2)
    assert str(_routes(settings, POLICY, found)[1]) == ("Asia/Shanghai" if mine == 0 else "Asia/Urumqi")
    # Where those of the log do not fit the policy any more, the settings' own hold.
    own = tmp_path / "routes.yaml"
    own.write_bytes(routes("Asia/Tokyo"))
    broken: Any = Kept(
        {mine: {f"{ROUTES_KEY}-1": encode_held(RoutesInForce("0" * 64, "routes: ["))}}, {mine: [1]}
    )
    read, zone = _routes(load_settings(routes=own), POLICY, await silences(broken), HERE)
    assert (str(zone), len(read)) == ("Asia/Tokyo", 1)
