"""Random faults under load for as long as asked: ``scripts/soak --minutes N --seed S``."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from agents.app import ALL_STAGES, STAGES, StageName
from casework.cases.book_file import DEFAULT, read_book
from deploy.local import Stack
from tests.agents.casework import Cases
from tests.faults.audit import audited
from tests.faults.post import Post, posting
from tests.faults.processes import Running
from tests.faults.site import CATALOG, DEADLINE, POLICY, Site, load, opened
from tests.faults.test_brokers import restart
from tests.faults.test_redis import rebuilt
from tests.faults.worker import Fault

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
MOMENTS = (
    "decided", "sent", "commit-asked", "commit-answered", "committed", "claim-asked", "claim-answered",
    "claimed", "moving", "moved", "drained", "snapshot",
)  # fmt: skip
#: Of dispatch besides.
SENDING = ("resumed", "delivering", "delivered", "answered")
FAULTS = ("death", "death", "death", "zombie", "broker", "redis", "full", "change")

pytestmark = [pytest.mark.soak, pytest.mark.timeout(int(MINUTES * 60) + 1800)]


class Soak:
    """Rounds of load; in each, some faults one after the other, and then the books are compared."""

    def __init__(self, site: Site, post: Post, cases: Cases, stack: Stack, chance: random.Random) -> None:
        self.site = site
        self.post = post
        self.cases = cases
        self.stack = stack
        self.chance = chance
        self.workers: dict[StageName, Running] = {}

    async def round(self, number: int) -> None:
        lines = load(30, 12_000, seed=self.chance.randrange(1 << 30))
        self.workers = self.site.start_all(stages=ALL_STAGES, snapshot_seconds=1.0)
        for one in self.workers.values():
            await one.signals.wait("claimed", timeout=60)
        await self.site.rig.producer()  # a client has to find a broker once; from then on it waits for one
        enough = asyncio.Event()
        publishing = asyncio.ensure_future(self.site.pour(lines, enough))
        # Besides those of cases, which are few.
        alerting = asyncio.ensure_future(self.post.pour(enough, self.chance.randrange(1 << 30), 0.5))
        struck = set()
        for _ in range(self.chance.randint(1, 5)):
            await self.flows(publishing)
            fault = self.chance.choice(FAULTS)
            struck.add(fault)
            print(f"round {number}: {fault}", flush=True)
            await getattr(self, fault)()
            self.supervise()
        await self.flows(publishing)
        if self.chance.random() < 0.25:
            print(f"round {number}: emptied, and rebuilt", flush=True)
            await self.emptied()
        enough.set()
        count = await publishing
        await alerting
        if self.chance.random() < 0.5:
            await self.site.at_rest()
            days = [day for day in (await self.site.days()).values() if day is not None]
            await self.site.tick(max(days) + self.chance.randint(1, 40))
        audit = await audited(self.site)
        await self.cases.through()
        await self.cases.audit()
        await self.post.at_rest()
        _, accounts = await self.post.audit(hung=bool(struck & {"zombie", "broker"}))
        print(
            f"round {number}: {count} lines, {len(accounts.came)} messages, agrees;"
            f" repeats {dict(audit.repeats)}, {len(accounts.doubled)} messages came again",
            flush=True,
        )

    async def flows(self, publishing: asyncio.Future[int]) -> None:
        """Wait until household workers commit some times: a fault is to strike a system at work."""
        commits = asyncio.ensure_future(self.commits(self.chance.randint(1, 30)))
        either: list[asyncio.Future[Any]] = [commits, publishing]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if publishing.done():  # it failed, or had no more
            commits.cancel()
            publishing.result()
        else:
            await commits

    async def commits(self, count: int) -> None:
        heard = self.site.heard
        for _ in range(count):
            await heard.wait(
                "committed", lambda facts: facts["worker"].startswith("household"), DEADLINE, len(heard.seen)
            )

    def supervise(self) -> None:
        """Start again who has left: a worker that finds no broker when it starts says so, and leaves."""
        for stage, one in self.workers.items():
            if one.exited.is_set():
                self.workers[stage] = self.start(stage)

    async def death(self) -> None:
        stage = self.chance.choice(ALL_STAGES)
        self.workers[stage].kill()
        moment = self.chance.choice((*MOMENTS, *SENDING) if stage == "dispatch" else MOMENTS)
        victim = self.start(stage, Fault(moment, self.chance.randint(1, 4)), max_part=20)
        # Not every moment comes: without another worker nothing is drained.
        await asyncio.wait([asyncio.ensure_future(victim.exited.wait())], timeout=5)
        victim.kill()
        self.workers[stage] = self.start(stage)

    def start(self, stage: StageName, *faults: Fault, **options: Any) -> Running:
        return self.site.start(stage, *faults, snapshot_seconds=1.0, **options)

    async def zombie(self) -> None:
        stage = self.chance.choice(ALL_STAGES)
        zombie = self.workers[stage]
        for one in self.site.running:
            # A zombie from before is a member again: it may get the only partition, and the rival none.
            if one.order.stage == stage and one is not zombie and not one.exited.is_set():
                one.kill()
        zombie.send(signal.SIGSTOP)
        self.workers[stage] = rival = self.start(stage)
        await rival.signals.wait("claimed")
        zombie.send(signal.SIGCONT)

    async def broker(self) -> None:
        await asyncio.to_thread(self.stack.kill, "kafka")
        await restart(self.stack)

    async def redis(self) -> None:
        await asyncio.to_thread(self.stack.kill, "valkey")
        await restart(self.stack)

    async def full(self) -> None:
        """No memory is left for a while."""
        with redis.Redis(port=self.stack.valkey.port) as admin:
            admin.config_set("maxmemory", 1_000_000)
            try:
                seen = len(self.site.heard.seen)
                await self.site.heard.wait("redis-refused-write", timeout=60, after=seen)
            finally:
                admin.config_set("maxmemory", 0)

    async def change(self) -> None:
        """A worker comes, and the one that was there leaves in good order."""
        stage = self.chance.choice(ALL_STAGES)
        before = self.workers[stage]
        self.workers[stage] = self.start(stage)
        before.send(signal.SIGTERM)

    async def emptied(self) -> None:
        """Redis loses everything, and is made again while the workers wait."""
        await asyncio.to_thread(self.stack.kill, "valkey")
        shutil.rmtree(self.stack.valkey.folder / "data")
        await restart(self.stack)
        seen = len(self.site.heard.seen)
        await self.site.heard.wait("stopped", timeout=60, after=seen)
        await rebuilt(self.site)
        self.supervise()


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
        # After an hour there would be thousands, and a broker looks at each when it starts.
        async with opened(Site(own_stack, folder, leaves_topics=False)) as site:
            site.create(chance.randint(1, 5), life_partitions=chance.randint(1, 2))
            # So that a rebuild has it.
            site.files["cases"] = {"casebook": read_book(DEFAULT, catalog=CATALOG, policy=POLICY)}
            cases = Cases(site.rig, book=site.files["cases"]["casebook"], create=False)
            try:
                async with posting(site, policy=POLICY) as post:
                    await Soak(site, post, cases, own_stack, chance).round(number)
            finally:
                await cases.close()


@pytest.mark.parametrize("stage", STAGES)
async def test_a_worker_that_is_killed_every_five_seconds(site: Site, stage: StageName) -> None:
    """For a minute, under load; each time it has got on, and so do the others."""
    site.start_all(but=[stage])
    enough = asyncio.Event()
    publishing = asyncio.ensure_future(site.pour(load(40, 8000), enough))
    for _ in range(12):
        victim = site.start(stage, instance="static", max_part=5)
        # Five seconds, and longer where the machine is so slow that it has not got on by then.
        committed = asyncio.ensure_future(victim.signals.wait("committed", timeout=DEADLINE))
        done, _ = await asyncio.wait([asyncio.ensure_future(victim.exited.wait())], timeout=5)
        assert not done, victim.last_lines()
        await committed
        victim.kill()
    site.start(stage, instance="static")
    enough.set()
    await publishing
    await audited(site)
