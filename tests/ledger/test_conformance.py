"""What the ledger promises, on every home."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from agents.ledger import (
    Claim,
    FencedError,
    Ledger,
    LedgerMissingError,
    MemoryCharter,
    StaleClaimError,
    Step,
)
from agents.redis_link import RedisLink
from streams.errors import LedgerError
from tests.ledger.homes import Home

STAGE, TOPIC = "household", "household.facts"


async def claim(ledger: Ledger, partition: int = 3, generation: int = 1, owner: str = "w1") -> Claim:
    return await ledger.claim(STAGE, TOPIC, partition, generation, owner)


async def test_a_new_partition_starts_at_0_with_nothing(ledger: Ledger) -> None:
    mine = await claim(ledger)
    assert (mine.next_offset, mine.commit, mine.day, mine.cursor) == (0, 0, None, None)
    assert (mine.marks, mine.counts) == ({}, {})
    assert await ledger.load(mine, ["a", "b"]) == [None, None]
    assert await ledger.due(mine, 99_999, 10) == []


async def test_a_commit_moves_states_marks_days_and_progress_together(ledger: Ledger) -> None:
    mine = await claim(ledger)
    await ledger.commit(
        mine,
        next_offset=17,
        states={"h1": b"one", "h2": b"two"},
        marks={"household:2": (12, 3)},
        next_days={"h1": 20_010, "h2": 20_001},
        day=20_000,
        cursor=5,
        counts={"blue": 2},
    )
    await ledger.commit(
        mine, next_offset=18, states={"h1": None}, next_days={"h1": None}, marks={"p:0": (1, 0)}
    )
    assert (mine.commit, mine.next_offset, mine.day, mine.cursor) == (2, 18, 20_000, 5)

    after = await claim(ledger, owner="w2")
    assert (after.commit, after.next_offset, after.day, after.cursor) == (2, 18, 20_000, 5)
    assert after.marks == mine.marks == {"household:2": (12, 3), "p:0": (1, 0)}
    assert after.counts == {"blue": 2}
    assert await ledger.load(after, ["h2", "h1"]) == [b"two", None]
    assert await ledger.due(after, 20_005, 10) == ["h2"]


async def test_due_gives_the_earliest_first_and_no_more_than_asked(ledger: Ledger) -> None:
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=1, next_days={"c": 30, "a": 10, "b": 20, "d": 31})
    assert await ledger.due(mine, 30, 2) == ["a", "b"]
    assert await ledger.due(mine, 30, 9) == ["a", "b", "c"]
    assert await ledger.due(mine, 9, 9) == []
    assert [await ledger.overdue(STAGE, TOPIC, 3, day) for day in (9, 10, 31)] == [0, 1, 4]


async def test_partitions_stages_and_ledgers_do_not_touch_each_other(link: RedisLink, ledger: Ledger) -> None:
    claims = [await claim(ledger, 0), await claim(ledger, 1), await ledger.claim("person", TOPIC, 0, 1, "w1")]
    other = Ledger(link, MemoryCharter(), name="another")
    for number, one in enumerate(claims):
        await ledger.commit(one, next_offset=number + 1, states={"k": b"%d" % number})
    assert (await claim(other, 0)).next_offset == 0
    for number, one in enumerate(claims):
        assert await ledger.load(one, ["k"]) == [b"%d" % number]


async def test_commits_that_go_together_succeed_or_fail_each_by_itself(ledger: Ledger) -> None:
    first, zombie, back, last = [await claim(ledger, partition) for partition in range(4)]
    await ledger.commit(back, next_offset=5)
    owner = await claim(ledger, 1, owner="w2")
    outcomes = await ledger.commit_all(
        [(one, Step(3, {"h": b"%d" % one.partition})) for one in (first, zombie, back, last)]
    )
    assert [type(one) for one in outcomes] == [type(None), FencedError, LedgerError, type(None)]
    assert [one.is_broken for one in (first, zombie, back, last)] == [False, True, False, False]
    for one in (first, last):
        assert one.next_offset == 3
        assert await ledger.load(one, ["h"]) == [b"%d" % one.partition]
    assert await ledger.load(owner, ["h"]) == [None]
    assert (await claim(ledger, 2)).next_offset == 5


async def test_a_zombie_is_fenced_from_writing_and_from_reading(ledger: Ledger) -> None:
    """Whoever lost the partition may not see its successor's states: it would send wrong bytes."""
    zombie = await claim(ledger)
    await ledger.commit(zombie, next_offset=5, states={"h": b"old"})
    owner = await claim(ledger, owner="w2")
    await ledger.commit(owner, next_offset=9, states={"h": b"new"})
    with pytest.raises(FencedError):
        await ledger.load(zombie, ["h"])
    zombie.is_broken = False
    with pytest.raises(FencedError):
        await ledger.commit(zombie, next_offset=6, states={"h": b"wrong"}, marks={"x": (1, 1)}, day=1)
    zombie.is_broken = False
    with pytest.raises(FencedError):
        await ledger.due(zombie, 1, 1)
    assert await ledger.load(owner, ["h"]) == [b"new"]
    after = await claim(ledger)
    assert (after.next_offset, after.marks, after.day) == (9, {}, None)


async def test_a_refused_claim_stays_refused(ledger: Ledger) -> None:
    first = await claim(ledger)
    await claim(ledger)
    for _ in range(2):
        with pytest.raises(FencedError):
            await ledger.commit(first, next_offset=1)


async def test_a_lower_generation_cannot_claim(ledger: Ledger) -> None:
    mine = await claim(ledger, generation=7)
    with pytest.raises(StaleClaimError, match=r"generation 6 is below 7, claimed by w1.*ledger adopt"):
        await claim(ledger, generation=6, owner="w0")
    await ledger.commit(mine, next_offset=1)


async def test_the_same_generation_can_claim_again_and_fences_itself(ledger: Ledger) -> None:
    """A restart of a static member keeps its generation, so the generation alone is no fence."""
    before = await claim(ledger, generation=7)
    after = await claim(ledger, generation=7)
    assert after.epoch > before.epoch
    with pytest.raises(FencedError):
        await ledger.commit(before, next_offset=1)
    await ledger.commit(after, next_offset=1)


async def test_adopting_lets_a_group_made_anew_claim_and_fences_the_old_one(ledger: Ledger) -> None:
    old = await claim(ledger, generation=900)
    await ledger.commit(old, next_offset=44, states={"h": b"kept"})
    assert await ledger.adopt(STAGE, [(TOPIC, 3), (TOPIC, 4)]) == 1
    with pytest.raises(FencedError):
        await ledger.commit(old, next_offset=45)
    new = await claim(ledger, generation=1)
    assert new.next_offset == 44
    assert await ledger.load(new, ["h"]) == [b"kept"]


async def test_of_concurrent_claims_only_the_last_may_commit(
    links: Callable[..., RedisLink], charter: MemoryCharter
) -> None:
    workers = [Ledger(links(), charter) for _ in range(8)]
    claims = await asyncio.gather(*(claim(one, owner=f"w{n}") for n, one in enumerate(workers)))
    assert sorted(one.epoch for one in claims) == list(range(1, 9))

    async def attempt(ledger: Ledger, mine: Claim) -> int:
        try:
            await ledger.commit(mine, next_offset=1, states={"winner": mine.owner.encode()})
        except FencedError:
            return 0
        return mine.epoch

    won = await asyncio.gather(*(attempt(one, mine) for one, mine in zip(workers, claims, strict=True)))
    assert sum(won) == max(one.epoch for one in claims)


async def test_a_commit_of_5000_keys_in_every_field(ledger: Ledger) -> None:
    """Lua's stack holds 8,000 values: only the unpacking is chunked, the commit is one."""
    mine = await claim(ledger)
    keys = [f"h{number}" for number in range(5000)]
    await ledger.commit(
        mine,
        next_offset=5000,
        states={key: key.encode() * 9 for key in keys},
        marks={key: (number, 1) for number, key in enumerate(keys)},
        next_days=dict.fromkeys(keys, 7),
        counts={key: number for number, key in enumerate(keys)},
    )
    assert await ledger.load(mine, keys + keys) == [key.encode() * 9 for key in keys + keys]
    assert len(await ledger.due(mine, 7, 10_000)) == 5000
    after = await claim(ledger)
    assert after.marks == mine.marks
    assert after.counts == mine.counts
    await ledger.commit(after, next_offset=5001, states=dict.fromkeys(keys), next_days=dict.fromkeys(keys))
    assert await ledger.due(after, 7, 10) == []
    positions = await ledger.positions(STAGE, [(TOPIC, 3)])
    position = positions[TOPIC, 3]
    assert position is not None
    assert (position.states, position.next_offset) == (0, 5001)


async def test_binary_values_and_unicode_ids_come_back_as_they_were(ledger: Ledger) -> None:
    rng = random.Random(5)
    states: dict[str, bytes | None] = {
        "家庭-1": bytes(range(256)),
        "~p.1": b"",
        "a b\r\n$3\r\n": b"\r\n*1\r\n",
        "é" * 60: rng.randbytes(70_000),
    }
    mine = await claim(ledger)
    await ledger.commit(
        mine, next_offset=1, states=states, marks={"渠道": (2**53 + 1, 0)}, next_days=dict.fromkeys(states, 1)
    )
    assert await ledger.load(mine, list(states)) == list(states.values())
    assert sorted(await ledger.due(mine, 1, 10)) == sorted(states)
    assert (await claim(ledger)).marks == {"渠道": (2**53 + 1, 0)}


async def test_large_offsets_are_exact(ledger: Ledger) -> None:
    """Lua's numbers are doubles: offsets and commit numbers must not pass through them."""
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=2**53 + 1)
    await ledger.commit(mine, next_offset=2**62 + 3, cursor=2**60 + 1)
    after = await claim(ledger)
    assert (after.next_offset, after.cursor) == (2**62 + 3, 2**60 + 1)


async def test_a_commit_never_goes_back(ledger: Ledger) -> None:
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=10, day=100)
    with pytest.raises(LedgerError, match="go back from offset 10 to 9"):
        await ledger.commit(mine, next_offset=9)
    with pytest.raises(LedgerError, match="go back from day 100 to 99"):
        await ledger.commit(mine, next_offset=11, day=99)
    await ledger.commit(mine, next_offset=10)


async def test_two_commits_of_one_claim_at_once_are_refused(ledger: Ledger) -> None:
    mine = await claim(ledger)
    first = asyncio.ensure_future(ledger.commit(mine, next_offset=1, states={"h": b"1"}))
    await asyncio.sleep(0)  # lets the first begin, no more
    with pytest.raises(LedgerError):
        await ledger.commit(mine, next_offset=2, states={"h": b"2"})
    await first
    assert await ledger.load(mine, ["h"]) == [b"1"]


async def test_an_interrupted_commit_gives_the_claim_up(ledger: Ledger) -> None:
    """Nobody knows whether it was executed, so the next one may not build on it."""
    mine = await claim(ledger)
    task = asyncio.ensure_future(ledger.commit(mine, next_offset=1, states={"h": b"1"}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(FencedError, match="given up"):
        await ledger.commit(mine, next_offset=2)
    again = await claim(ledger)
    state = (await ledger.load(again, ["h"]))[0]
    assert (again.next_offset, state) in ((0, None), (1, b"1"))


async def test_a_started_partition_that_redis_lost_is_refused(
    home: Home, ledger: Ledger, charter: MemoryCharter, links: Callable[..., RedisLink]
) -> None:
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=10, states={"h": b"1"})
    for server in home.servers:
        with server.connect() as client:
            if client.info("replication")["role"] == "master":
                client.flushall()
    with pytest.raises(FencedError, match="stands at nothing"):
        await ledger.commit(mine, next_offset=11)
    with pytest.raises(LedgerMissingError, match="hearthwatch rebuild"):
        await claim(ledger)
    fresh = Ledger(links(), charter)
    with pytest.raises(LedgerMissingError, match="hearthwatch rebuild"):
        await claim(fresh)


async def test_a_ledger_that_went_back_some_commits_refuses_and_is_taken_up_again(
    home: Home, ledger: Ledger
) -> None:
    """A failover may lose the last commits: the offset went back with the states, so nothing is lost."""
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=10, states={"h": b"10"})
    earlier = Claim(STAGE, TOPIC, 3, 1, "w1", mine.epoch, mine.commit + 3, 40)
    with pytest.raises(FencedError, match="stands at epoch 1, commit 1, offset 10"):
        await ledger.commit(earlier, next_offset=50, states={"h": b"50"})
    again = await claim(ledger)
    assert again.next_offset == 10
    assert await ledger.load(again, ["h"]) == [b"10"]


async def test_onlookers_see_states_and_positions_without_a_claim(ledger: Ledger) -> None:
    mine = await claim(ledger, generation=4)
    many = {f"家{number}": b"%d" % number for number in range(1500)}
    await ledger.commit(mine, next_offset=12, states=many, day=3)
    positions = await ledger.positions(STAGE, [(TOPIC, 3), (TOPIC, 0)])
    assert positions[TOPIC, 0] is None
    position = positions[TOPIC, 3]
    assert position is not None
    assert (position.next_offset, position.generation, position.owner) == (12, 4, "w1")
    assert (position.day, position.states) == (3, 1500)
    assert await ledger.read(STAGE, TOPIC, 3, ["家7", "none"]) == [b"7", None]
    assert {key: state async for key, state in ledger.scan(STAGE, TOPIC, 3)} == many
    await ledger.commit(mine, next_offset=13)


async def test_scripts_that_the_server_forgot_are_sent_again(
    home: Home, links: Callable[..., RedisLink]
) -> None:
    reasons: list[str] = []
    ledger = Ledger(links(on_retry=reasons.append), MemoryCharter())
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=1)
    reasons.clear()
    for server in home.servers:
        with server.connect() as client:
            client.script_flush()
    await ledger.commit(mine, next_offset=2)
    await ledger.commit(mine, next_offset=3)
    assert reasons == ["script"]


async def test_many_partitions_commit_in_one_moment(ledger: Ledger) -> None:
    claims = await asyncio.gather(*(claim(ledger, number) for number in range(40)))
    for offset in (1, 2, 3):
        await asyncio.gather(
            *(ledger.commit(one, next_offset=offset, states={"k": b"%d" % offset}) for one in claims)
        )
    found = await ledger.positions(STAGE, [(TOPIC, number) for number in range(40)])
    assert [one.next_offset for one in found.values() if one is not None] == [3] * 40
