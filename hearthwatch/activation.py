"""Activating a policy: what would change, who has taken it, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hearthwatch.connections import kafka_arguments
from hearthwatch.running import open_ledger
from hearthwatch.settings import Settings
from rules import household
from rules.policy import Policy
from rules.preview import Preview, look, lost_types
from rules.rulebook import Rulebook
from rules.takeover import take_over
from streams.errors import HearthwatchError, InputError, TransportError
from streams.policies import Files
from streams.records import HOUSEHOLD_FACTS
from streams.topics import life_topic

if TYPE_CHECKING:
    from agents.ledger import Ledger

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """Which activation one partition goes by.

    Attributes:
        stage: ``intake`` or ``household``.
        number: of the activation; None before the partition's first record.
        swept: every household is evaluated under this one; None for intake, which has none.
        states: households, or 0.
        day: the partition's, since 1970-01-01.
    """

    stage: str
    topic: str
    partition: int
    number: int | None
    swept: int | None
    states: int
    day: int | None

    def is_at(self, newest: int) -> bool:
        """Whether nothing is left to do for an activation."""
        if self.number is None:
            return True
        return self.number >= newest and (self.swept is None or self.swept >= newest)


async def standings_of(ledger: Ledger, flow: Any, book: Rulebook) -> list[Standing]:
    """See :func:`standings`; for who has a ledger and a flow."""
    from agents.takeovers import MARK, course_of

    departments: dict[str, None] = {}
    for one in book.activations:
        departments |= dict.fromkeys(book.catalog(one.number).departments)
    found = []
    for stage, topics in (
        ("intake", [life_topic(one) for one in departments or book.catalog(book.newest).departments]),
        ("household", [HOUSEHOLD_FACTS]),
    ):
        at = await flow.partitions(topics)
        positions = await ledger.check_held(stage, at)
        marks = await asyncio.gather(*(ledger.marks(stage, *one) for one in at))
        for (topic, partition), mark in zip(at, marks, strict=True):
            position = positions[topic, partition]
            if stage == "intake":
                number = mark[MARK][0] if MARK in mark else None
                swept = None
            else:
                course = course_of(mark)
                number, swept = (None, None) if position is None else (course.number, course.swept)
            states = 0 if position is None else position.states
            day = None if position is None else position.day
            found.append(Standing(stage, topic, partition, number, swept, states, day))
    return found


def standings(settings: Settings, book: Rulebook) -> list[Standing]:
    """Which activation each partition of intake and household goes by.

    Raises:
        TransportError: a server does not answer, or a topic is missing.
        LedgerMissingError: Redis has lost a partition.
    """
    found: list[Standing] = asyncio.run(
        _with(settings, lambda ledger, flow: standings_of(ledger, flow, book))
    )
    return found


async def _with(settings: Settings, work: Callable[[Any, Any], Any]) -> Any:
    from agents.flow import Flow

    ledger = open_ledger(settings)
    flow = Flow(kafka_arguments(settings), ledger)
    try:
        return await work(ledger, flow)
    finally:
        await flow.close()
        await ledger.close()


def preview(settings: Settings, book: Rulebook, new: Rulebook, progress: Progress) -> Preview:
    """What activating ``new``'s only policy would change, from the states as they are now.

    A household that has not been visited since the latest activation is first brought under that, and each
    one to its partition's day. Raises as :func:`standings`.
    """
    found: Preview = asyncio.run(
        _with(settings, lambda ledger, flow: previewed(ledger, flow, book, new, progress))
    )
    return found


async def previewed(ledger: Any, flow: Any, book: Rulebook, new: Rulebook, progress: Progress) -> Preview:
    """See :func:`preview`; for who has a ledger and a flow."""
    from agents.takeovers import course_of

    found = Preview()
    rules = new.rules(new.newest)
    lost = lost_types(book.catalog(book.newest), new.catalog(new.newest))
    at = await flow.partitions([HOUSEHOLD_FACTS])
    positions = await ledger.check_held("household", at)
    total = sum(position.states for position in positions.values() if position is not None)
    done = 0
    for topic, partition in at:
        position = positions[topic, partition]
        if position is None or position.day is None:
            continue
        course = course_of(await ledger.marks("household", topic, partition))
        seen: set[str] = set()
        async for key, raw in ledger.scan("household", topic, partition):
            if key in seen:
                continue
            seen.add(key)
            state, _ = take_over(
                household.decode(raw),
                rules_of=book.rules,
                takeovers=course.takeovers,
                number=course.number,
            )
            look(
                found,
                state,
                old=book.rules(state.activation),
                new=rules,
                day=max(position.day, state.day or 0),
                lost=lost,
            )
            done += 1
            if done % 500 == 0:
                progress("Evaluating households", done, total)
    return found


class VersionClashError(HearthwatchError):
    """Two policies of one version were activated at the same moment: warnings name them alike."""


def version_clash(book: Rulebook, policy: Policy, *, before: int | None = None) -> int | None:
    """The activation of a policy of this version with other content, if there is one.

    Args:
        before: only those with a smaller number; None: all.
    """
    for one in book.activations:
        if before is not None and one.number >= before:
            break
        known = book.files(one.number)[1]
        if (known.id, known.version) == (policy.id, policy.version) and known.digest != policy.digest:
            return one.number
    return None


def check_version(book: Rulebook, files: Files, new: Rulebook) -> None:
    """A version names one policy: warnings say by its number what they are founded on.

    Raises:
        InputError: the version was activated before with other content.
    """
    policy = new.files(new.newest)[1]
    if (clash := version_clash(book, policy)) is not None:
        raise InputError(
            f"{files.policy_name}: policy {policy.id} version {policy.version} was activated before with"
            f" other content (activation {clash}): raise `version`"
        )


async def _taken(ledger: Any, flow: Any, book: Rulebook, progress: Progress) -> list[Standing]:
    delay = 0.05
    while True:
        found: Sequence[Standing] = await standings_of(ledger, flow, book)
        done = sum(one.is_at(book.newest) for one in found)
        if done == len(found):
            return list(found)
        progress("Waiting until all partitions have taken it", done, len(found))
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, 1.0)


def wait_until_taken(
    settings: Settings, book: Rulebook, timeout_seconds: float, progress: Progress
) -> list[Standing]:
    """Wait until every partition runs the newest activation and has evaluated all of its households.

    Raises:
        TransportError: that took too long.
    """

    async def within(ledger: Any, flow: Any) -> list[Standing]:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await _taken(ledger, flow, book, progress)
        except TimeoutError:
            raise TransportError(
                f"it is activated, but not every partition has taken it within {timeout_seconds:.0f} s: are"
                " all workers running? `hearthwatch policy status` tells how far it is"
            ) from None

    found: list[Standing] = asyncio.run(_with(settings, within))
    return found
