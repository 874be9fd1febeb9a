"""A replay from snapshots ends where one of the whole log does, wherever the snapshots were taken."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.household import HouseholdStage
from agents.ledger.restoring import Place
from agents.rebuild.replay import Replay
from agents.rebuild.snapshot_reader import Kept
from rules.compile import compile_policy
from streams.records import HOUSEHOLD_FACTS, Message, Tick, encode
from streams.snapshots import FORMAT, LaneSnapshot, lane_key
from tests.agents.desk import Raw, small_catalog, small_policy
from tests.agents.test_household_stage import DAY, ZONE, at, fact, ill, jobless

CATALOG = small_catalog()
RULES = compile_policy(small_policy(CATALOG), CATALOG)
PLACE = Place("household", HOUSEHOLD_FACTS, 0)
PEOPLE = ("p1", "p2", "p3")

#: Who, what, and how many days later; of nobody: a tick.
SCRIPT = st.lists(
    st.tuples(st.sampled_from((*PEOPLE, None)), st.sampled_from("bij"), st.integers(0, 200)),
    min_size=1,
    max_size=14,
)


def log_of(script: list[tuple[str | None, str, int]]) -> list[Any]:
    """Records of one partition; each person's facts come from a partition of their own."""
    day, messages = DAY, list[Message | Tick]()
    for number, (person, kind, days) in enumerate(script):
        day += days
        if person is None:
            messages.append(Tick(ZONE.day_of(at(day)), at(day, 0)))
            continue
        make = {
            "b": lambda *a, **k: fact(*a, "insurance.bill.settled", self_paid_yuan=900_000, **k),
            "i": ill,
            "j": jobless,
        }[kind]
        one = make(number, person=person, day=day)
        messages.append(type(one)(one.household, f"person.events-{person}", *_rest(one)))
    return [
        Raw(
            offset,
            encode(one),
            None if isinstance(one, Tick) else one.household.encode(),
            at(DAY + 9_999) // 1000,
        )
        for offset, one in enumerate(messages)
    ]


def _rest(one: Any) -> tuple[Any, ...]:
    return one.number, one.origin, one.n, one.event


def stage() -> HouseholdStage:
    return HouseholdStage(RULES, clock="log")


def replayed(records: list[Any], kept: Kept | None = None) -> Replay:
    """The end of a log, with every household at its last day."""
    replay = Replay(stage(), PLACE, HOUSEHOLD_FACTS, kept)
    replay.feed(records[replay.start :], len(records))
    for _ in replay.settle():
        pass
    return replay


def unsettled(records: list[Any]) -> Replay:
    """As a worker leaves states: those that nothing reached have not seen the last days."""
    replay = Replay(stage(), PLACE, HOUSEHOLD_FACTS, None)
    replay.feed(records, len(records))
    return replay


@settings(max_examples=150, deadline=None)
@given(SCRIPT, st.data())
def test_keys_that_are_ahead_of_their_partition_are_passed_over(
    script: list[tuple[str | None, str, int]], data: st.DataObject
) -> None:
    """Day, marks, states and levels: also where a mark's last record is one that was passed over."""
    records = log_of(script)
    began = data.draw(st.integers(0, len(records)), label="the partition's offset")
    standing = unsettled(records[:began]).standing()
    kept = Kept()
    kept.lanes[lane_key(HOUSEHOLD_FACTS, 0)] = LaneSnapshot(
        FORMAT, 2, began, standing.head, standing.marks, standing.counts, 0.0
    )
    for person in PEOPLE:
        own = data.draw(st.integers(began, len(records)), label=f"offset of {person}")
        kept.states[f"~{person}"] = own, unsettled(records[:own]).states[f"~{person}"]
    ours, theirs = replayed(records, kept), replayed(records)
    assert ours.start == began
    assert dict(ours.states) == dict(theirs.states)
    assert ours.days == theirs.days
    here, there = ours.standing(), theirs.standing()
    assert (here.next_offset, here.head, here.marks) == (there.next_offset, there.head, there.marks)
    assert {k: n for k, n in here.counts.items() if n} == {k: n for k, n in there.counts.items() if n}
