"""An event that the program fails on stops nothing but itself, and comes back after the fix."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import urllib.request
from pathlib import Path

import pytest

from agents.app import STAGES, StageName
from deploy.local import Stack, free_ports
from rules.household import decode
from rules.state import PROVISIONAL
from streams.catalog import JOINED
from streams.deadletters import HOUSEHOLD, INTERNAL_ERROR, MESSAGE, REASON
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS
from tests.faults.audit import Audit, audited
from tests.faults.site import Site, load, opened

pytestmark = pytest.mark.timeout(240)


async def hearthwatch(site: Site, *arguments: str) -> str:
    """Run the command line against the site; its output."""
    settings = {
        "HEARTHWATCH_KAFKA_BOOTSTRAP": site.bootstrap,
        "HEARTHWATCH_REDIS_URL": site.rig.redis.url,
        "HEARTHWATCH_REDIS_NAMESPACE": site.rig.namespace,
        "HEARTHWATCH_CLOCK": site.clock,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hearthwatch", *arguments,
        env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_a_poisonous_event_is_set_aside_and_requeued_after_the_fix(
    own_stack: Stack, tmp_path: Path
) -> None:
    """`internal-error` with the traceback's digest; the metric rises; requeued, the event counts."""
    (port,) = free_ports(1)
    async with opened(Site(own_stack, tmp_path, prefix="")) as site:
        site.create()
        lines = load()
        poison = next(
            json.loads(line)["id"] for line in lines if json.loads(line)["type"] == "health.hospital.admitted"
        )
        site.start_all(but=["household"])
        broken = site.start("household", poison=poison, metrics_port=port)
        await site.publish(lines)
        audit = await audited(site)
        (letter,) = [
            one for one in audit.log[DEADLETTERS][0] if dict(one.headers)[REASON] == b"internal-error"
        ]
        told = dict(letter.headers)
        assert re.search(rb"ZeroDivisionError, traceback [0-9a-f]{12}", told[MESSAGE] or b"")
        assert letter.value in lines
        assert json.loads(letter.value)["id"] == poison
        page = await asyncio.to_thread(_metrics, port)
        assert 'hearthwatch_internal_errors_total{stage="household"} 1' in page
        assert told[HOUSEHOLD]
        # The person may have moved on since: the event is missing where the person is.
        person = json.loads(letter.value)["subject"].removeprefix("person/")
        id = home_of(audit, person)
        shown = json.loads(await hearthwatch(site, "household", "show", id, "--json"))
        assert [one["id"] for one in shown["set_aside"]] == [poison]
        await broken.leave()

        fixed = site.start("household")
        await fixed.signals.wait("claimed")
        before = sum((await site.rig.ends(HOUSEHOLD_FACTS)).values())
        out = await hearthwatch(site, "deadletters", "requeue", "--reason", INTERNAL_ERROR, "--yes")
        assert "1 sent again, 0 not." in out
        again = await audited(site)
        assert sum((await site.rig.ends(HOUSEHOLD_FACTS)).values()) > before
        known = [poison.encode() in state for state in again.expected_states["household"].values()]
        assert sum(known) == 1
        shown = json.loads(await hearthwatch(site, "household", "show", id, "--json"))
        assert shown["set_aside"] == []

        assert again.circle()
        # The household that had to do without it, and whoever was warned of most.
        without = (told[HOUSEHOLD] or b"").decode()
        for id in (without, max(again.warnings, key=lambda one: len(again.warnings[one]))):
            exported = await hearthwatch(site, "log", "export", "--household", id)
            assert exported.encode().splitlines() == again.exported(id)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("stage", "type"),
    [
        ("intake", "health.hospital.admitted"),
        ("intake", JOINED),
        ("person", "health.hospital.admitted"),
        ("person", JOINED),
    ],
)
async def test_the_stages_before_set_aside_too(
    own_stack: Stack, tmp_path: Path, stage: StageName, type: str
) -> None:
    """Letter, metric and the household's page tell; requeued, the event counts and the mark is gone."""
    (port,) = free_ports(1)
    async with opened(Site(own_stack, tmp_path, prefix="")) as site:
        site.create()
        lines = load()
        # The last of its type about a person: nothing after it makes up for it.
        event = next(event for event in map(json.loads, reversed(lines)) if event["type"] == type)
        poison, person = event["id"], event["subject"].removeprefix("person/")
        site.start_all(but=[stage])
        broken = site.start(stage, poison=poison, metrics_port=port)
        await site.publish(lines)
        audit = await audited(site)
        assert [len(several) for several in audit.set_aside.values()] == [stage == one for one in STAGES]
        told = dict(audit.log[DEADLETTERS][0][-1].headers)
        assert re.search(rb"ZeroDivisionError, traceback [0-9a-f]{12}", told[MESSAGE] or b"")
        where = home_of(audit, person)
        if stage == "person":  # departments do not wait for each other: it may have been before a move
            assert (told[HOUSEHOLD] or b"").decode() in homes_of(lines, person)
        else:
            assert HOUSEHOLD not in told, "intake does not know where a person belongs"
        page = await asyncio.to_thread(_metrics, port)
        assert f'hearthwatch_internal_errors_total{{stage="{stage}"}} 1' in page
        assert not any(poison.encode() in state for state in audit.expected_states["household"].values())
        marked = {where} | ({event["data"]["household"]} if type == JOINED else set())
        for id in marked:
            shown = json.loads(await hearthwatch(site, "household", "show", id, "--json"))
            assert [one["id"] for one in shown["set_aside"]] == [poison], id
        await broken.leave()
        fixed = site.start(stage)
        await fixed.signals.wait("claimed")
        out = await hearthwatch(site, "deadletters", "requeue", "--reason", INTERNAL_ERROR, "--yes")
        assert "1 sent again, 0 not." in out
        again = await audited(site)
        if type == JOINED:
            assert home_of(again, person) == event["data"]["household"]
        else:
            assert sum(poison.encode() in one for one in again.expected_states["household"].values()) == 1
        for id in marked | {home_of(again, person)}:
            if id in again.expected_states["household"]:
                shown = json.loads(await hearthwatch(site, "household", "show", id, "--json"))
                assert shown["set_aside"] == [], id


def home_of(audit: Audit, person: str) -> str:
    """The household that a person is in."""
    states = audit.expected_states["household"]
    return next(id for id, state in states.items() if person in decode(state).residents)


def homes_of(lines: list[bytes], person: str) -> set[str]:
    """Every household that a person was ever in."""
    joins = (event for event in map(json.loads, lines) if event["type"] == JOINED)
    return {PROVISIONAL + person} | {
        event["data"]["household"] for event in joins if event["subject"] == f"person/{person}"
    }


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())
