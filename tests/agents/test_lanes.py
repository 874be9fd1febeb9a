"""What a lane remembers, and when it must not."""

from __future__ import annotations

from agents.lanes import Lane, Part
from agents.ledger import Claim
from tests.agents.desk import lane_of


def test_the_oldest_states_are_forgotten_but_none_that_waits_for_its_commit() -> None:
    lane = lane_of("household", "household.facts")
    lane.remember({f"k{n}": b"x" * 800 for n in range(10)})
    lane.pending.append(Part(1, states={"k0": b"x" * 800}))
    lane.remember({"k1": b"y" * 800})  # written again: the youngest now
    lane.forget(10_000)
    assert len(lane.states) == 10
    lane.forget(8_000)
    assert list(lane.states) == ["k0", "k6", "k7", "k8", "k9", "k1"]
    assert lane.cached_bytes == 6 * 1_000
    lane.pending.clear()
    lane.forget(0)
    assert (lane.states, lane.cached_bytes) == ({}, 0)


def test_that_a_key_has_no_state_is_remembered_too() -> None:
    lane = lane_of("household", "household.facts")
    lane.remember({"k": None})
    lane.remember({"k": b"xx"})
    lane.remember({"k": None})
    assert lane.states == {"k": None}
    lane.forget(0)
    assert lane.cached_bytes == 0


def claimed(commit: int, next_offset: int, epoch: int = 2) -> Lane:
    claim = Claim("s", "t", 0, 1, "w", epoch=epoch, commit=commit, next_offset=next_offset)
    return Lane(lane_of("s", "t").tp, claim, 1)


def test_a_new_claim_keeps_what_is_remembered_only_if_nobody_wrote_since() -> None:
    older = claimed(5, 100, epoch=1)
    older.remember({"k": b"state"})
    same = claimed(5, 100)
    same.inherit(older)
    assert same.states == {"k": b"state"}
    for other in (claimed(6, 100), claimed(5, 101)):
        other.inherit(older)
        assert other.states == {}


def test_states_that_were_never_committed_are_not_kept() -> None:
    for spoil in ("pending", "dropped", "broken", "ahead"):
        older = claimed(5, 100, epoch=1)
        older.remember({"k": b"uncommitted"})
        if spoil == "pending":
            older.pending.append(Part(120))
        elif spoil == "dropped":
            older.is_dropped = True
        elif spoil == "broken":
            older.claim.is_broken = True
        else:
            older.next = 120
        lane = claimed(5, 100)
        lane.inherit(older)
        assert lane.states == {}, spoil
