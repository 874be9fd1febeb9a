"""A worker that is stopped past its session, and wakes up: what it still wants to commit is refused."""

from __future__ import annotations

import asyncio
import signal

import pytest

from agents.app import StageName
from tests.faults.audit import audited
from tests.faults.site import Site, load
from tests.faults.worker import Fault

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    ("stage", "moment"),
    [
        ("household", "sent"),
        pytest.param("household", "decided", marks=pytest.mark.soak),
        pytest.param("household", "moved", marks=pytest.mark.soak),
        pytest.param("person", "sent", marks=pytest.mark.soak),
        pytest.param("person", "moving", marks=pytest.mark.soak),
        pytest.param("intake", "sent", marks=pytest.mark.soak),
    ],
)
async def test_a_zombies_commits_are_refused(site: Site, stage: StageName, moment: str) -> None:
    """SIGSTOP past the session, another goes on, SIGCONT: the ledger refuses the zombie by its epoch."""
    site.start_all(but=[stage])
    zombie = site.start(stage, Fault(moment, nth=2, action="stop"), max_part=20)
    publishing = asyncio.ensure_future(site.publish(load()))
    fault = await zombie.fault()
    at = fault["tp"]
    rival = site.start(stage)
    # The broker lets the zombie go after its session, and the rival goes on where the ledger stands.
    claimed = await rival.signals.wait("claimed", lambda facts: facts["tp"] == at)
    await rival.signals.wait("committed", lambda facts: facts["tp"] == at)
    zombie.send(signal.SIGCONT)
    refused = await zombie.signals.wait("refused", lambda facts: facts["tp"] == at)
    assert refused["reason"] == "fenced"
    first = next(facts for name, facts in zombie.signals.seen if name == "claimed" and facts["tp"] == at)
    assert first["epoch"] < claimed["epoch"]
    seen = [(name, facts) for name, facts in zombie.signals.seen if facts.get("tp") == at]
    asleep = [name for name, _ in seen].index("fault")
    told = [name for name, _ in seen].index("refused", asleep)
    # What it had sent before its sleep it may not commit any more.
    late = [facts["offset"] for name, facts in seen[asleep:told] if name == "committed"]
    assert all(offset < fault["offset"] for offset in late)
    await publishing
    await audited(site)


@pytest.mark.soak
async def test_a_whole_set_of_zombies(site: Site) -> None:
    """All three stages are stopped at once, others take over, and all wake up together."""
    zombies = [
        site.start(stage, Fault("sent", 2, "stop"), max_part=20)
        for stage in ("intake", "person", "household")
    ]
    publishing = asyncio.ensure_future(site.publish(load()))
    await asyncio.gather(*(one.fault() for one in zombies))
    rivals = site.start_all()
    await asyncio.gather(*(one.signals.wait("committed") for one in rivals.values()))
    for one in zombies:
        one.send(signal.SIGCONT)
    await asyncio.gather(*(one.signals.wait("refused") for one in zombies))
    await publishing
    await audited(site)
