"""The books themselves: what a fault could have done wrong is found."""

from __future__ import annotations

import pytest

from agents.app import STAGES
from streams.records import HOUSEHOLD_FACTS, WARNINGS
from tests.faults.audit import Audit, audited
from tests.faults.site import Site, load

pytestmark = [pytest.mark.soak, pytest.mark.timeout(240)]


async def test_a_wrong_entry_anywhere_is_found(site: Site) -> None:
    """Each entry is spoilt, found, and put right again, or was never right for anybody after it."""
    site.start_all()
    await site.publish(load(15, 150))
    audit = await audited(site)
    for one in site.running[: len(STAGES)]:
        await one.leave()
    ledger, rig = await site.rig.ledger(), site.rig
    id = min(audit.expected_states["household"])
    for number in range(rig.partitions[HOUSEHOLD_FACTS]):
        keys = ledger.keys("household", rig.prefix + HOUSEHOLD_FACTS, number)
        live = (await ledger.read("household", rig.prefix + HOUSEHOLD_FACTS, number, [id]))[0]
        if live is None:
            continue
        await ledger.link.call("HDEL", keys[1], id)
        await found(site, "lost, such as")
        await ledger.link.call(
            "HSET", keys[1], id, live.replace(b"other", b"child") if b"other" in live else b"x"
        )
        with pytest.raises(Exception):  # noqa: B017, PT011 - also a state that cannot be read
            await Audit(site).run()
        await ledger.link.call("HSET", keys[1], id, live)
        head = await ledger.link.call("HGET", keys[0], "next")
        await ledger.link.call("HSET", keys[0], "next", int(head) - 1)
        await found(site, "")
        await ledger.link.call("HSET", keys[0], "next", head)
    await Audit(site).run()
    records = [record for several in audit.log[WARNINGS] for record in several]
    # A repeat is no fault, the same id with other bytes is one, and so is a record that no event led to.
    await rig.send(WARNINGS, [(records[0].key, records[0].value)])
    await Audit(site).run()
    await rig.send(WARNINGS, [(records[0].key, records[0].value.replace(b'"score":', b'"score":1'))])
    await found(site, "different bytes")


async def found(site: Site, what: str) -> None:
    with pytest.raises(AssertionError, match=what or None):
        await Audit(site).run()


async def test_a_lost_and_an_invented_record_are_found(site: Site) -> None:
    """Nobody is at work: what a department sent is nowhere, and nobody rejected it."""
    await site.publish(load(5, 20)[:3])
    await found(site, "lost")
