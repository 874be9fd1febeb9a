"""Departments that send twice, out of order, late or with a wrong clock; workers with a wrong clock."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import Stack
from rules import household
from rules.backtest import Backtest
from rules.score import add_up
from streams.district import District, district_lines
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS
from tests.faults.audit import Audit, audited
from tests.faults.site import CATALOG, POLICY, Site, load, opened

pytestmark = pytest.mark.timeout(240)
YEAR_SECONDS = 365 * 86_400.0


def scores(audit: Audit) -> dict[str, object]:
    """What every household with members scores, at its partition's day."""
    out: dict[str, object] = {}
    for id, raw in audit.expected_states["household"].items():
        state = household.decode(raw)
        if state.members:
            score = add_up(state, audit.rules)
            out[id] = (score.total, tuple(score.dimensions))
    return out


async def test_everything_twice_and_out_of_order_scores_as_once_and_in_order(site: Site) -> None:
    """One department shuffles and doubles what it sends, another sends its whole year at the end."""
    lines = load(30, 400)
    chance = random.Random(5)
    by_topic: dict[str, list[bytes]] = {}
    for line in lines:
        by_topic.setdefault(json.loads(line)["source"], []).append(line)
    names = sorted(by_topic, key=lambda name: -len(by_topic[name]))
    shuffled = next(name for name in names if "civil" not in name)
    late = next(name for name in names if name != shuffled and "civil" not in name)
    twice = by_topic[shuffled] * 2
    chance.shuffle(twice)
    sent = [line for line in lines if json.loads(line)["source"] not in {shuffled, late}]
    sent += twice + by_topic[late] * 2 + by_topic[late]
    site.start_all()
    await site.publish(sent)
    await site.at_rest()
    days = [day for day in (await site.days()).values() if day is not None]
    await site.tick(max(days) + 1)
    audit = await audited(site)
    backtest = Backtest(CATALOG, POLICY)
    for number, line in enumerate(lines, start=1):
        assert backtest.feed(number, line) is None
    backtest.finish(max(days) + 1)
    expected = {
        row["household"]: (row["score"], tuple(row["dimensions"].values())) for row in backtest.scores()
    }
    assert scores(audit) == expected


@pytest.mark.soak
@pytest.mark.parametrize("jump_seconds", [YEAR_SECONDS, -YEAR_SECONDS], ids=["ahead", "back"])
async def test_clocks_that_jump_a_year_move_no_day(
    own_stack: Stack, tmp_path: Path, jump_seconds: float
) -> None:
    """By the wall clock: a sender's clock gives dead letters, a worker's gives ticks that nobody follows."""
    async with opened(Site(own_stack, tmp_path, clock="wall")) as site:
        site.create()
        workers = site.start_all(clock_ahead_seconds=jump_seconds)
        now = time.time()
        good = [_moved(line, now - 3600) for line in list(district_lines(District(10, 0, seed=3), CATALOG))]
        ahead = [_moved(line, now + YEAR_SECONDS) for line in good[:5]]
        ends = await site.rig.ends(HOUSEHOLD_FACTS)
        await site.publish(good[:-5])
        for one in workers.values():
            await one.signals.wait("clock-jumped")
        await site.at_rest()
        # The sender's clock says so in the event, and in the record's own timestamp too.
        for when, several in ((now + jump_seconds, good[-5:]), (now + YEAR_SECONDS, ahead)):
            addressed = site.addressed(several)
            await site.send([replace(one, timestamp_ms=int(when * 1000)) for one in addressed])
        if jump_seconds > 0:
            # The worker believes that it is next year, and says so in its partitions' logs.
            await site.heard.wait("ticks-sent", timeout=60)
        await site.at_rest()
        sent = sum((await site.rig.ends(HOUSEHOLD_FACTS)).values()) - sum(ends.values())
        assert (sent > 365) == (jump_seconds > 0)
        audit = await audited(site)
        today = site.calendar.day_of(int(time.time() * 1_000_000))
        assert {day for day in (await site.days()).values() if day is not None} <= {today - 1, today}
        assert len(audit.log[DEADLETTERS][0]) == len(ahead)


def _moved(line: bytes, instant: float) -> bytes:
    """The same event at another time."""
    event = json.loads(line)
    event["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant))
    event.pop("recordedtime", None)
    return json.dumps(event).encode()
