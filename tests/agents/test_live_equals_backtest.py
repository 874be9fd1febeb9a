"""The live pipeline gives each household the warnings that a backtest gives it, byte for byte."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from deploy.local import Stack
from rules.calendar import day_from_text
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from tests.agents.pipeline import Pipeline
from tests.agents.rig import Rig
from tests.conformance.agreement import by_household
from tests.conformance.case_files import Case, all_cases

#: Cases that run side by side; they mostly wait for the broker.
AT_ONCE = 5
#: Kafka's timestamps have milliseconds: a case with finer ones has other times live.
_FINER = re.compile(rb'time"\s*:\s*"[^"]*\.\d{4,}')


async def replayed(stack: Stack, case: Case) -> str | None:
    """Run a case through a pipeline of its own; what differs, or None."""
    catalog = read_catalog(case.catalog)
    policy = read_policy(case.policy, catalog)
    until = day_from_text(case.until) if case.until else None
    rig = Rig(stack)
    # In a thread: the others go on while the broker makes the topics.
    pipeline = await asyncio.to_thread(
        Pipeline, rig, catalog, policy, life_partitions=1, partitions=2, snapshots=False
    )
    try:
        await pipeline.start()
        await pipeline.play([line for _, line in case.lines()], until)
        live = [record.value for record in await pipeline.warnings()]
        dead = len(await rig.read("deadletters"))
    finally:
        await pipeline.close()
        await rig.close()
        # Every client asks a broker for all that it has: two thousand partitions would make them slow.
        await asyncio.to_thread(rig.remove_topics)
    if in_order(live) != in_order([warning.body for warning in pipeline.backtest.warnings]):
        return f"{case.name}: not the bytes of the backtest"
    if dead != pipeline.dead:
        return f"{case.name}: {dead} dead letters"
    is_finer = _FINER.search(case.events.read_bytes()) or case.name.endswith("first-day-of-time")
    if not is_finer and by_household(live) != by_household(case.expected("warnings")):
        return f"{case.name}: not the warnings of the case"
    return None


def in_order(bodies: list[bytes]) -> dict[str, list[bytes]]:
    """Warnings by household, in their order."""
    found: dict[str, list[bytes]] = {}
    for body in bodies:
        found.setdefault(json.loads(body)["subject"], []).append(body)
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=pytest.mark.soak if first else (), id=f"{first + 1} of 3")
        for first in range(3)
    ],
)
async def test_every_conformance_case_agrees_live(stack: Stack, first: int) -> None:
    """Ticks included: the days of a case are appended as ``hearthwatch tick`` does. A third at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> str | None:
        async with room:
            try:
                async with asyncio.timeout(150):
                    return await replayed(stack, case)
            except Exception as error:  # noqa: BLE001 - the others shall end in good order
                return f"{case.name}: {error!r}"

    found = await asyncio.gather(*(one(case) for case in all_cases()[first::3]))
    assert [difference for difference in found if difference] == []
