"""The work by hand (bench/peers/toy.py) on the project's own engine and ledger, in the stage's place.

It tells what transport, ledger and commit cost without the rules: no policy, no midnights, no moves, warnings
without their reasons; what the peers' programs do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from agents.deciding import Stage
from agents.lanes import Lane, Part
from bench import stage_process
from bench.peers.toy import message_of, step
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS, WARNINGS

NAME: Final = "by-hand"
SENDS_TO: Final = f"{NAME}.{WARNINGS}"


class ByHand(Stage):
    """As :class:`agents.household.HouseholdStage` with repeats refused, and nothing else of it."""

    name: ClassVar[str] = NAME
    topics = (HOUSEHOLD_FACTS,)
    sends_to = (SENDS_TO, DEADLETTERS)

    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """The records that are no repeats."""
        marks = part.marks
        before = lane.marks
        out = []
        keys = set()
        for record in records:
            message = message_of(record.value)
            mark = marks.get(message.channel) or before.get(message.channel)
            if mark is not None and message.number <= mark:
                continue
            marks[message.channel] = message.number
            out.append((record.key, message))
            keys.add(message.household)
        return out, keys

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Step each household through its records."""
        states = part.states
        kept = lane.states
        for key, message in read:
            id = message.household
            states[id], warning = step(states.get(id) or kept[id], message)
            if warning is not None:
                part.sends.append((SENDS_TO, key, warning, ()))
        lane.marks.update(part.marks)


def main() -> None:
    """Take the order from standard input, as :mod:`bench.stage_process` does."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    print(asyncio.run(stage_process.run(json.loads(sys.stdin.readline()), ByHand())), flush=True)


if __name__ == "__main__":
    main()
