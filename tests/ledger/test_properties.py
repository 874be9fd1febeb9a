"""Whatever workers, takeovers and lost replies do, the ledger is what the last owner's commits made it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import redis_link
from agents.ledger import Claim, FencedError, Ledger, MemoryCharter
from tests.ledger.homes import Home
from tests.ledger.test_faults import LosingLink

IDS = st.text(min_size=1, max_size=8) | st.sampled_from(["h1", "h2", "~p", "家-1", "{x}", " "])
STATES = st.dictionaries(IDS, st.none() | st.binary(max_size=40), max_size=5)
MARKS = st.dictionaries(IDS, st.tuples(st.integers(0, 2**62), st.integers(0, 9)), max_size=3)
DAYS = st.dictionaries(IDS, st.none() | st.integers(-5, 40_000), max_size=4)
WORKERS = st.integers(0, 2)
STEPS = st.lists(
    st.tuples(st.just("claim"), WORKERS, st.integers(0, 2))
    | st.tuples(st.just("commit"), WORKERS, st.integers(0, 3), st.integers(0, 5), STATES, MARKS, DAYS),
    min_size=1,
    max_size=12,
)


@dataclass
class Model:
    """What the ledger should hold."""

    owner: int | None = None
    next_offset: int = 0
    commit: int = 0
    states: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)


def _apply(
    model: Model, offset: int, states: dict[str, bytes | None], marks: dict, days: dict[str, int | None]
) -> None:
    model.next_offset = offset
    model.commit += 1
    for key, state in states.items():
        model.states.pop(key, None)
        if state is not None:
            model.states[key] = state
    model.marks.update(marks)
    for key, day in days.items():
        model.days.pop(key, None)
        if day is not None:
            model.days[key] = day


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_ledger_is_what_its_owners_committed(valkey: Home, steps: list[tuple]) -> None:
    """Any interleaving of three workers, with lost replies: only the owner's commits, each once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_link, "FIRST_DELAY_SECONDS", 0.0005)
        asyncio.run(_play(valkey, steps))


async def _play(valkey: Home, steps: list[tuple]) -> None:
    with valkey.admin() as admin:
        admin.flushall()
    charter = MemoryCharter()
    workers = [Ledger(LosingLink(valkey.address), charter) for _ in range(3)]
    claims: dict[int, Claim] = {}
    model = Model()
    for step in steps:
        worker = step[1]
        link = workers[worker].link
        assert isinstance(link, LosingLink)
        link.lose = step[2]
        if step[0] == "claim":
            claims[worker] = await workers[worker].claim("s", "t", 0, 1, f"w{worker}")
            model.owner = worker
            claim = claims[worker]
            assert (claim.commit, claim.next_offset, claim.marks) == (
                model.commit, model.next_offset, model.marks,
            )  # fmt: skip
        elif worker in claims:
            _, _, _, more, states, marks, days = step
            claim = claims[worker]
            offset = claim.next_offset + more
            try:
                await workers[worker].commit(
                    claim, next_offset=offset, states=states, marks=marks, next_days=days
                )
            except FencedError:
                assert worker != model.owner
            else:
                assert worker == model.owner
                _apply(model, offset, states, marks, days)
        link.lose = 0
    last = await workers[0].claim("s", "t", 0, 1, "last")
    assert (last.next_offset, last.commit, last.marks) == (model.next_offset, model.commit, model.marks)
    assert {key: state async for key, state in workers[0].scan("s", "t", 0)} == model.states
    due = await workers[0].due(last, 100_000, 1000)
    assert sorted(due) == sorted(model.days)
    assert [model.days[key] for key in due] == sorted(model.days.values())
    for one in workers:
        await one.close()
