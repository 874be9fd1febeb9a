"""Looks whether the ledger still stands where a quiet partition left it.

A commit finds out for itself: Redis refuses it where it does not stand at the commit before. But a partition
without records commits nothing, and a Redis that came back empty, or some commits behind (a failover, an
older append-only file), would show old states until the next record. So every quiet lane is looked at now and
then; one that does not stand where its owner knows it to be is claimed again, and what was lost is repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from agents.lanes import Lane, Part
from agents.ledger import Claim, FencedError, Position
from agents.stage import Engine
from streams.errors import LedgerError, TransportError

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0

_Places = Mapping[tuple[str, int], Position | None]


class Standing:
    """Looks at the quiet lanes of a worker.

    Args:
        look_seconds: a lane that has committed nothing for so long is looked at.
    """

    def __init__(self, engine: Engine, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._engine = engine
        self._look_seconds = look_seconds
        self._seen: dict[Lane, int] = {}

    async def run(self) -> None:
        """Look every few seconds, for ever."""
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                await self.check()
            except (TransportError, LedgerError) as error:
                logger.warning("cannot see where the ledger stands: %s", error)

    async def check(self) -> None:
        """Look at the lanes that have committed nothing since the last call."""
        before, self._seen = self._seen, {}
        for lane in self._engine.lanes.values():
            self._seen[lane] = lane.claim.commit
        quiet = [lane for lane, commit in self._seen.items() if before.get(lane) == commit]
        places = await self._places(lane.claim for lane in quiet)
        for lane in quiet:
            # Twice: first without holding up what may come in, and for certain where it does not seem so.
            if _elsewhere(lane.claim, places):
                await self._engine.between(lane, partial(self._confirm, lane.claim), _nothing)

    async def _places(self, claims: Iterable[Claim]) -> _Places:
        at = [(claim.topic, claim.partition) for claim in claims]
        return await self._engine.ledger.positions(self._engine.stage.name, at)

    async def _confirm(self, claim: Claim) -> Sequence[str]:
        """No key that is due; called when no commit of the lane is under way."""
        found = _elsewhere(claim, await self._places([claim]))
        if found is not None:
            raise FencedError(f"{claim} is not ours any more: the ledger stands at {found}")
        return ()


def _elsewhere(claim: Claim, places: _Places) -> str | None:
    """Where the ledger stands, if not at the claim's last commit."""
    place = places[claim.topic, claim.partition]
    if place is None:
        return "nothing"
    if (place.epoch, place.commit) == (claim.epoch, claim.commit):
        return None
    return f"epoch {place.epoch}, commit {place.commit}"


def _nothing(part: Part) -> None:
    raise AssertionError("no key was due")
