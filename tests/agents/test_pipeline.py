"""Intake, person and household together: the stories, a made-up district under churn, and internal errors."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import agents.household
from agents.app import stage_of
from agents.ticks import caught_up
from rules import household
from rules.calendar import day_from_text
from rules.policy_file import read_policy
from rules.score import add_up
from streams.catalog_file import read_catalog
from streams.deadletters import ORIGIN_OFFSET, ORIGIN_TOPIC, REASON
from streams.district import District, district_lines
from streams.outgoing import Outgoing, binary
from streams.records import HOUSEHOLD_FACTS
from streams.stories import differences, in_order, read_stories
from tests.agents.desk import small_catalog, small_policy
from tests.agents.pipeline import Pipeline
from tests.agents.rig import DEADLINE, Rig
from tests.agents.test_intake_and_person import joined, line

ROOT = Path(__file__).parents[2]
CATALOG = read_catalog(ROOT / "streams/catalogs/wuchang.yaml")
POLICY = read_policy(ROOT / "rules/policies/wuchang.yaml", CATALOG)


@pytest.mark.timeout(300)
async def test_every_story_comes_out_live_as_it_is_told(rig: Rig) -> None:
    """All of them side by side: each warning on its day, no other one, and the bytes of the backtest."""
    levels, indicators = [level.id for level in POLICY.levels], [one.id for one in POLICY.indicators]
    stories = read_stories(ROOT / "examples/stories", CATALOG, levels=levels, indicators=indicators)
    pipeline = Pipeline(rig, CATALOG, POLICY)
    await pipeline.start()
    await pipeline.play(in_order(stories), day_from_text(max(story.until for story in stories)))
    live = defaultdict(list)
    for record in await pipeline.warnings():
        live[record.key.decode()].append(record.value)
    expected = defaultdict(list)
    for warning in pipeline.backtest.warnings:
        expected[warning.household].append(warning.body)
    await pipeline.close()
    assert live == expected
    bodies: list[dict[str, Any]] = [json.loads(body) for several in live.values() for body in several]
    for story in stories:
        told = [w for w in bodies if w["data"]["day"] <= story.until]
        assert differences(story, told) == []


async def scores(pipeline: Pipeline) -> dict[str, Any]:
    """What the ledger's households score now, in the form of a backtest's scores."""
    rules = pipeline.backtest.rules
    ledger = await pipeline.rig.ledger()
    out = {}
    for partition in range(pipeline.rig.partitions[HOUSEHOLD_FACTS]):
        async for id_, state in ledger.scan("household", pipeline.rig.prefix + HOUSEHOLD_FACTS, partition):
            home = household.decode(state)
            if home.members:
                score = add_up(home, rules)
                out[id_] = (home.community, len(home.members), score.total, tuple(score.dimensions))
    return out


@pytest.mark.timeout(300)
async def test_a_district_ends_with_the_scores_of_a_backtest_whatever_happens_to_workers(rig: Rig) -> None:
    """Events of fifteen topics in no common order, persons who move, workers that join, leave and crash."""
    pipeline = Pipeline(rig, CATALOG, POLICY, partitions=4)
    await pipeline.start()
    lines = list(district_lines(District(60, 700, seed=5), CATALOG))
    halves = [lines[: len(lines) // 2], lines[len(lines) // 2 :]]

    async def publish(lines: list[bytes]) -> None:
        for one in lines:
            outgoing = pipeline.addresser.address(one)
            assert isinstance(outgoing, Outgoing)
            event = pipeline.decoder.record(
                outgoing.topic, outgoing.value, outgoing.headers, outgoing.timestamp_ms or 0
            )
            pipeline.backtest.take(event)
            await rig.send(
                outgoing.topic,
                [(outgoing.key, outgoing.value)],
                timestamp_ms=outgoing.timestamp_ms,
                headers=outgoing.headers,
            )

    # Two more workers join while records flow, and then two crash in the middle of them.
    joining = []
    for name in ("person", "household"):
        config = rig.config(catalog=CATALOG, policy=POLICY)
        joining.append(rig.worker(stage_of(name, config), catalog=CATALOG, policy=POLICY, max_part=20))
    await asyncio.gather(publish(halves[0]), *(worker.start() for worker, _ in joining))
    for _, signals in joining:
        await signals.wait("claimed")
    await publish(halves[1])
    crashed = [pipeline.workers["person"], pipeline.workers["household"]]
    for worker in crashed:
        await worker.engine.close()
        await worker.stop()
    await pipeline.through()
    last = pipeline.backtest.today
    assert last is not None
    pipeline.today = last - 1
    await pipeline.tick(last)
    pipeline.backtest.finish(last)
    assert pipeline._flow is not None
    await caught_up(pipeline._flow, last)
    expected = {
        row["household"]: (row["community"], row["members"], row["score"], tuple(row["dimensions"].values()))
        for row in pipeline.backtest.scores()
    }
    found = await scores(pipeline)
    await pipeline.close()
    assert found == expected
    # Warnings: at least once, first occurrences in order of n, and the same id has the same bytes.
    seen: dict[str, dict[str, bytes]] = defaultdict(dict)
    for record in await rig.read("warnings"):
        body = json.loads(record.value)
        known = seen[record.key.decode()].setdefault(body["id"], record.value)
        assert known == record.value
    for id_, warnings in seen.items():
        assert list(warnings) == [f"{id_}-{n}" for n in range(1, len(warnings) + 1)]


async def test_an_internal_error_gives_back_the_departments_record(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stages behind intake the program fails; what is set aside is the original, fit to be sent again."""
    catalog = small_catalog()
    pipeline = Pipeline(rig, catalog, small_policy(catalog))
    step = household.step
    is_fixed = False

    def broken(state: Any, message: Any, *rest: Any, **options: Any) -> Any:
        if not is_fixed and getattr(message, "event", None) is not None and message.event.id == "e2":
            raise ZeroDivisionError
        return step(state, message, *rest, **options)

    monkeypatch.setattr(agents.household.household, "step", broken)
    await pipeline.start()
    bad = binary(line("health", "health.diagnosed", "person/p1", 2, severity=5))
    assert bad is not None
    body, headers = bad
    headers = [*headers, ("trace", b"\xff\x00")]
    when = 1_719_800_000_000
    await rig.send("life.civil-affairs", [(b"a", joined("p1", "H1", 1))], timestamp_ms=when)
    await pipeline.through()
    await rig.send("life.health", [(b"odd key", body)], timestamp_ms=when, headers=headers)
    await pipeline.through()
    await rig.send(
        "life.human-resources",
        [(b"a", line("human-resources", "work.lost", "person/p1", 3))],
        timestamp_ms=when,
    )
    await pipeline.through()
    (letter,) = await rig.read("deadletters")
    assert (letter.key, letter.value, list(letter.headers[: len(headers)])) == (b"odd key", body, headers)
    told = dict(letter.headers)
    assert told[REASON] == b"internal-error"
    assert (told[ORIGIN_TOPIC], told[ORIGIN_OFFSET]) == (b"life.health", b"0")
    assert await pipeline.warnings() == []
    # After the fix the same record counts.
    is_fixed = True
    await rig.send("life.health", [(letter.key, letter.value)], timestamp_ms=when, headers=headers)
    await pipeline.through()
    (warning,) = await pipeline.warnings()
    assert json.loads(warning.value)["data"]["score"] == 55
    await pipeline.close()


async def test_another_policy_than_the_data_was_made_with_is_refused(rig: Rig) -> None:
    from agents.ledger import LedgerMismatchError

    catalog = small_catalog()
    pipeline = Pipeline(rig, catalog, small_policy(catalog))
    await pipeline.start()
    async with asyncio.timeout(DEADLINE):
        await pipeline.through()
    await pipeline.close()
    config = rig.config(catalog=catalog, policy=POLICY)
    other, _ = rig.worker(stage_of("person", config), catalog=catalog, policy=POLICY)
    with pytest.raises(LedgerMismatchError, match="another policy"):
        await other.start()
