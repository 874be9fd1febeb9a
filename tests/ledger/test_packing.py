"""States as Redis holds them: half as long, and the same again when they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ledger import Ledger, changes
from agents.ledger.errors import LedgerDamagedError
from agents.ledger.packing import LEAST_BYTES, MARK, pack, unpack, unpack_all
from agents.ledger.restoring import Place, Restoring, look
from rules.state import Household, decode, encode
from rules.state_format import FORMAT, NewerFormatError

LONG = b"\x95" + b"self_paid_yuan, /wuchang/medical-insurance; " * 30


@given(st.binary(max_size=600) | st.text("ab", max_size=600).map(str.encode))
def test_what_is_packed_comes_back(state: bytes) -> None:
    for one in (state, MARK + state):
        assert unpack(pack(one)) == one
    if state[:1] != MARK:  # no state of ours begins so
        assert len(pack(state)) <= len(state)


def test_a_long_state_is_halved_and_a_short_one_is_left_alone() -> None:
    assert len(pack(LONG)) < len(LONG) / 2
    short = LONG[: LEAST_BYTES - 1]
    assert pack(short) == short
    assert unpack_all([pack(LONG), None, short]) == [LONG, None, short]


def test_what_was_stored_before_there_was_packing_is_read() -> None:
    state = encode(Household("h" * LEAST_BYTES))
    assert unpack(state) == state


def test_a_program_that_knows_nothing_of_packing_takes_it_for_a_newer_format() -> None:
    assert MARK[0] > FORMAT
    with pytest.raises(NewerFormatError):
        decode(pack(LONG))


@pytest.mark.parametrize("stored", [MARK, MARK + b"\xff\xff\xff\xff", pack(LONG)[:-9], MARK + b"\x05\0\0\0x"])
def test_a_damaged_one_says_so(stored: bytes) -> None:
    with pytest.raises(LedgerDamagedError, match="rebuild"):
        unpack(stored)


async def test_every_way_into_redis_packs_and_every_way_out_unpacks(ledger: Ledger) -> None:
    claim = await ledger.claim("s", "t", 0, 1, "w")
    await ledger.commit(claim, next_offset=1, states={"k": LONG})
    place = Place("s", "t", 1)
    restoring = Restoring(ledger, place)
    await restoring.begin()
    await restoring.put({"k": LONG}, {})
    await restoring.open(1, {}, {}, {})
    for partition in (0, 1):
        stored = await ledger.link.call("HGET", ledger.keys("s", "t", partition)[1], "k")
        assert stored == pack(LONG) != LONG
        assert await ledger.read("s", "t", partition, ["k", "l"]) == [LONG, None]
        assert [pair async for pair in ledger.scan("s", "t", partition)] == [("k", LONG)]
        assert (await look(ledger, Place("s", "t", partition), ["k", "l"])).states == [LONG, None]
    assert await ledger.load(claim, ["k", "l"]) == [LONG, None]
    await changes.begin(ledger, claim)
    assert (await changes.take(ledger, claim, 10)).states == {"k": LONG}
