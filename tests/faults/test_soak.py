"""Random faults under load for as long as asked: ``scripts/soak --minutes N --seed S``."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import pytest

from agents.app import STAGES, StageName
from deploy.local import Stack
from tests.faults.audit import audited
from tests.faults.processes import Running
from tests.faults.site import Site, load, opened
from tests.faults.test_brokers import restart
from tests.faults.worker import Fault

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
MOMENTS = (
    "decided", "sent", "commit-asked", "commit-answered", "committed", "claim-asked", "claim-answered",
    "claimed", "moving", "moved", "drained",
)  # fmt: skip

pytestmark = [pytest.mark.soak, pytest.mark.timeout(int(MINUTES * 60) + 1800)]


class Soak:
    """Rounds of load; in each, some faults one after the other, and then the books are compared."""

    def __init__(self, site: Site, stack: Stack, chance: random.Random) -> None:
        self.site = site
        self.stack = stack
        self.chance = chance
        self.workers: dict[StageName, Running] = {}

    async def round(self, number: int) -> None:
        lines = load(30, 400, seed=self.chance.randrange(1 << 30))
        self.workers = self.site.start_all()
        for one in self.workers.values():
            await one.signals.wait("claimed", timeout=60)
        await self.site.rig.producer()  # a client has to find a broker once; from then on it waits for one
        publishing = asyncio.ensure_future(self.site.publish(lines))
        for _ in range(self.chance.randint(1, 4)):
            fault = self.chance.choice(
                (self.death, self.death, self.death, self.zombie, self.broker, self.redis)
            )
            print(f"round {number}: {fault.__name__}", flush=True)
            await fault()
            self.supervise()
        await publishing
        audit = await audited(self.site)
        print(f"round {number}: agrees; repeats {dict(audit.repeats)}", flush=True)

    def supervise(self) -> None:
        """Start again who has left: a worker that finds no broker when it starts says so, and leaves."""
        for stage, one in self.workers.items():
            if one.exited.is_set():
                self.workers[stage] = self.site.start(stage)

    async def death(self) -> None:
        stage = self.chance.choice(STAGES)
        self.workers[stage].kill()
        moment = self.chance.choice(MOMENTS)
        victim = self.site.start(stage, Fault(moment, self.chance.randint(1, 4)), max_part=20)
        # Not every moment comes: a stage that has nothing to do any more commits nothing.
        ends = [asyncio.ensure_future(victim.exited.wait()), asyncio.ensure_future(self.site.at_rest())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        victim.kill()
        self.workers[stage] = self.site.start(stage)

    async def zombie(self) -> None:
        stage = self.chance.choice(STAGES)
        zombie = self.workers[stage]
        zombie.send(signal.SIGSTOP)
        self.workers[stage] = rival = self.site.start(stage)
        await rival.signals.wait("claimed")
        zombie.send(signal.SIGCONT)

    async def broker(self) -> None:
        await asyncio.to_thread(self.stack.kill, "kafka")
        await restart(self.stack)

    async def redis(self) -> None:
        await asyncio.to_thread(self.stack.kill, "valkey")
        await restart(self.stack)


async def test_random_faults(own_stack: Stack, tmp_path: Path) -> None:
    """At least one round; the seed names faults and load, the machine their exact moments."""
    chance = random.Random(SEED)
    until = time.monotonic() + MINUTES * 60
    number = 0
    while number == 0 or time.monotonic() < until:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        print(f"seed {SEED}, round {number}", flush=True)
        async with opened(Site(own_stack, folder)) as site:
            site.create(chance.randint(1, 5), life_partitions=chance.randint(1, 2))
            await Soak(site, own_stack, chance).round(number)


async def test_a_worker_that_is_killed_every_five_seconds(site: Site) -> None:
    """For a minute; the others go on, and so does the partition that it held."""
    site.start_all(but=["household"])
    lines = load(40, 1500)
    publishing = asyncio.ensure_future(site.publish(lines))
    for _ in range(12):
        victim = site.start("household", instance="static", max_part=5)
        done, _ = await asyncio.wait([asyncio.ensure_future(victim.exited.wait())], timeout=5)
        assert not done, victim.last_lines()
        victim.kill()
    site.start("household", instance="static")
    await publishing
    await audited(site)
