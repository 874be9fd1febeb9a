"""What a commit is made of: who owns a partition, what it is to write, and what the script is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from agents.ledger.errors import FencedError
from agents.ledger.packing import pack
from agents.redis_link import Argument
from streams.errors import LedgerError


@dataclass(slots=True)
class Claim:
    """One partition as its owner knows it; :meth:`Ledger.commit` keeps it up to date.

    Attributes:
        commit: how many commits there were.
        next_offset: the offset to read next.
        day: the partition's day, in days since 1970-01-01; None before its first.
        marks: the last number applied from each producer partition.
        cursor: a number of the stage's own.
        counts: bounded counters of the stage's own, such as households by level.
        is_broken: a commit was interrupted or refused, so nobody here knows where the partition stands:
            claim it again.
    """

    stage: str
    topic: str
    partition: int
    generation: int
    owner: str
    epoch: int
    commit: int
    next_offset: int
    day: int | None = None
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    cursor: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    is_broken: bool = False

    def __str__(self) -> str:
        return f"{self.stage} {self.topic}/{self.partition} (epoch {self.epoch}, commit {self.commit})"


@dataclass(frozen=True, slots=True)
class Step:
    """What one commit writes.

    Attributes:
        next_offset: the offset to read next.
        states: by key; None deletes.
        marks: last number applied, by channel.
        next_days: by key, the next day on which it can change (:meth:`Ledger.due`); None: off the index.
        day, cursor: None leaves what stands.
        counts: absolute values of bounded counters.
        index: by key, its member of the index before and from now on; None where it has none.
    """

    next_offset: int
    states: Mapping[str, bytes | None] = field(default_factory=dict)
    marks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    next_days: Mapping[str, int | None] = field(default_factory=dict)
    day: int | None = None
    cursor: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    index: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)


def refusal(claim: Claim, step: Step) -> Exception | None:
    """Why a commit is not even sent."""
    if claim.is_broken:
        return FencedError(f"the claim on {claim} was given up: claim the partition again")
    if step.next_offset < claim.next_offset:
        return LedgerError(
            f"commit of {claim} would go back from offset {claim.next_offset} to {step.next_offset}"
        )
    if step.day is not None and claim.day is not None and step.day < claim.day:
        return LedgerError(f"commit of {claim} would go back from day {claim.day} to {step.day}")
    return None


def arguments(claim: Claim, step: Step) -> list[Argument]:
    """What the script of a commit is given beside its keys."""
    gone: list[Argument] = [key for key, state in step.states.items() if state is None]
    packed = [(key, pack(state)) for key, state in step.states.items() if state is not None]
    held: list[Argument] = list(chain.from_iterable(packed))
    flat: list[Argument] = []
    for channel, (offset, number) in step.marks.items():
        flat += (channel, b"%d %d" % (offset, number))
    scores: list[Argument] = []
    idle: list[Argument] = []
    for key, due in step.next_days.items():
        if due is None:
            idle.append(key)
        else:
            scores += (due, key)
    totals: list[Argument] = []
    for name, total in step.counts.items():
        totals += (name, total)
    members = step.index.values()
    old: list[Argument] = [before for before, _ in members if before is not None]
    new: list[Argument] = [part for _, after in members if after is not None for part in (0, after)]
    return [
        claim.epoch, claim.commit, claim.commit + 1, step.next_offset,
        "" if step.day is None else step.day, "" if step.cursor is None else step.cursor,
        len(held), len(gone), len(flat), len(scores), len(idle), len(totals),
        len(old), len(new), *held, *gone, *flat, *scores, *idle, *totals, *old, *new,
    ]  # fmt: skip


def took(claim: Claim, step: Step) -> None:
    """A commit is through: where the partition stands now."""
    claim.is_broken = False
    claim.commit += 1
    claim.next_offset = step.next_offset
    claim.marks.update(step.marks)
    claim.counts.update(step.counts)
    claim.day = claim.day if step.day is None else step.day
    claim.cursor = claim.cursor if step.cursor is None else step.cursor
