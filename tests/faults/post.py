"""Dispatch under fault: alerts by hand, a web server that is told, and the accounts of what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from casework.alerts.alert import Alert, Resolve
from casework.alerts.intents import Result
from rules.policy import Policy
from streams.errors import TransportError
from streams.timestamps import HOUR, SECOND
from tests.agents.alerting import Alerts, Folded, routes_text
from tests.agents.receivers import Site as Channel
from tests.agents.receivers import web_server
from tests.casework.alerts.a_district import HERE, at
from tests.casework.alerts.a_district import POLICY as TWO_LEVELS
from tests.faults.processes import Running
from tests.faults.site import BIT, PAUSE_SECONDS, Site
from tests.faults.worker import Fault

START = at("2026-03-02 10:00")
#: Both partitions of `alerts` have some.
DISTRICTS = ("420106", "420101", "420108", "420112", "420113", "420114")
#: The channels are waited for however slow the machine is.
PATIENT = routes_text(
    ("  - id: hook\n    kind: webhook\n", "  - id: hook\n    kind: webhook\n    timeout: 5m\n"),
    ("  - id: other\n    kind: webhook\n", "  - id: other\n    kind: webhook\n    timeout: 5m\n"),
)
FINAL = {"alert.sent", "alert.replaced", "alert.resolved"}
"""What an alert ends as; a repeat of it is a duplicate beside that."""


@dataclass
class Accounts:
    """What was sent, by message.

    Attributes:
        begun: how often a worker was about to send it.
        came: how often the web server had it.
        answers: how many answers the log has.
        cut: how often a worker was about to send it and was not heard of it again.
    """

    begun: Counter[str]
    came: Counter[str]
    answers: Counter[str]
    cut: Counter[str]

    @property
    def doubled(self) -> dict[str, int]:
        """Messages that came more than once, and how often."""
        return {key: count for key, count in self.came.items() if count > 1}


class Post:
    """A site whose workers of dispatch send to a web server of the test."""

    def __init__(
        self,
        site: Site,
        channel: Channel,
        *,
        clock: str = "log",
        text: str = PATIENT,
        policy: Policy = TWO_LEVELS,
    ) -> None:
        self.site = site
        self.channel = channel
        self.alerts = Alerts(site.rig, clock=clock, create=False, text=text, policy=policy)  # type: ignore[arg-type]
        site.files["dispatch"] = {"routes": self.alerts.routes}
        if policy is not site.policy:  # then there are no other stages
            site.files["dispatch"]["policy"] = policy
        site.environment |= {"HOOK_URL": channel.url, "HOOK_SECRET": "a secret"}
        self.said: dict[str, Alert] = {}
        self.now = START
        self._homes = itertools.count()

    def start(self, *faults: Fault, **options: Any) -> Running:
        """Start a worker of dispatch."""
        return self.site.start("dispatch", *faults, **options)

    # -- alerts ----------------------------------------------------------------------------------------
    async def say(self, *inputs: Alert | Resolve, district: str = "420106") -> None:
        """Append alerts, a second after the last ones."""
        self.now += SECOND
        self.said |= {one.id: one for one in inputs if isinstance(one, Alert)}
        await self.alerts.say(self.now, *inputs, key=district)

    def new(self, district: str = "420106", level: str = "red") -> Alert:
        """An alert about a household that there was none about yet."""
        home = f"H{next(self._homes)}"
        community = HERE if district == "420106" else f"{district}001001"
        return Alert(f"{home}-1-1", f"{home}-1", home, "raised", level, community, dimensions=("health",))

    def some(self, seed: int) -> Iterator[tuple[str, list[Alert | Resolve]]]:
        """For ever: alerts of all districts, upgrades, repeats, and cases that are acknowledged."""
        chance = random.Random(seed)
        before: list[tuple[str, Alert]] = []
        while True:
            if not before or chance.random() < 0.7:
                district = chance.choice(DISTRICTS)
                one = self.new(district, chance.choice(["blue", "red"]))
                before.append((district, one))
                yield district, [one]
                continue
            district, one = chance.choice(before[-20:])
            what = chance.choice(["again", "upgraded", "resolve"])
            if what == "again":
                yield district, [one]
            elif what == "resolve":
                yield district, [Resolve(one.case)]
            else:
                id = f"{one.case}-2"
                yield (
                    district,
                    [Alert(id, one.case, one.household, "upgraded", "red", one.community)],
                )

    async def pour(self, until: asyncio.Event, seed: int = 1, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Append alerts bit by bit until the event is set."""
        source = self.some(seed)
        while not until.is_set():
            for district, inputs in itertools.islice(source, BIT):
                await self.say(*inputs, district=district)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), pause_seconds)

    async def came(self, count: int, timeout: float = 120.0) -> None:  # noqa: ASYNC109
        """Wait until so many requests have come."""
        async with asyncio.timeout(timeout):
            while len(self.channel.requests) < count:
                await self.channel.came.get()

    # -- rest ------------------------------------------------------------------------------------------
    async def at_rest(self) -> None:
        """Let all that is due up to an hour after the last alert happen, and be answered."""
        self.now += HOUR
        try:
            await self.alerts.tick(self.now)
        except TransportError as error:
            logs = "\n".join(f"--- {one.name}\n{one.last_lines()}" for one in self.site.running)
            pytest.fail(f"{error}\n{logs}")

    async def accounts(self) -> Accounts:
        """What was sent, and whose answer is where."""
        begun: Counter[str] = Counter()
        heard: Counter[str] = Counter()
        for one in self.site.running:
            begun.update(facts["key"] for name, facts in one.signals.seen if name == "delivering")
            heard.update(facts["key"] for name, facts in one.signals.seen if name == "answered")
        answers = Counter(
            f"{one.message}@{one.channel}" for _, _, one in await self.alerts.log() if isinstance(one, Result)
        )
        came = Counter(one.headers["Idempotency-Key"] for one in self.channel.requests)
        return Accounts(begun, came, answers, +(begun - heard))

    async def audit(self, *, hung: bool = False) -> tuple[Folded, Accounts]:
        """Nothing is lost, and nothing sent twice but where an answer was lost.

        States and fates are those of one pass over the log. Each alert has its fate, and who was to be told
        of it was. Each message came, and oftener only if a worker was cut off between sending it and its
        answer being in the log.

        Args:
            hung: a worker was stopped, or the broker away: what such a one had sent, another may have sent
                meanwhile, and an answer may be there twice.
        """
        folded = await self.alerts.audit()
        fates: dict[str, list[str]] = {}
        for event in await self.alerts.events():
            fates.setdefault(event["data"]["alert"], []).append(event["type"])
        said = await self._said()
        assert fates.keys() == said, said ^ fates.keys()
        for alert, its in fates.items():
            assert len([one for one in its if one in FINAL]) == 1, (alert, its)
        bodies = {one.headers["Idempotency-Key"]: json.loads(one.body) for one in self.channel.requests}
        reached = {alert["id"] for body in bodies.values() for alert in body["alerts"]}
        assert {alert for alert, its in fates.items() if "alert.sent" in its} <= reached
        accounts = await self.accounts()
        decided = {send.key for send in folded.sends}
        assert accounts.came.keys() == decided == accounts.answers.keys()
        for key in decided:
            attempts = len({send.attempt for send in folded.sends if send.key == key})
            assert attempts <= accounts.came[key] <= accounts.begun[key], key
            if not hung:
                lost = accounts.begun[key] - accounts.answers[key]
                assert accounts.answers[key] == attempts, f"{key}: sent again although its answer was there"
                assert 0 <= lost <= accounts.cut[key], f"{key}: sent by a worker that did not have to"
        return folded, accounts

    async def _said(self) -> set[str]:
        log = await self.alerts.log()
        return {one.id for _, _, one in log if isinstance(one, Alert)}


@asynccontextmanager
async def posting(site: Site, **options: Any) -> AsyncIterator[Post]:
    """A post whose web server runs for as long as the block lasts."""
    async with web_server() as channel:
        post = Post(site, channel, **options)
        try:
            yield post
        finally:
            channel.released.set()
            for one in site.running:  # so that none hangs at a server that is gone
                one.kill()
