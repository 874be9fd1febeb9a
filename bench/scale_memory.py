"""What a household takes in Redis, everything counted; a part of :mod:`bench.scale`."""

from __future__ import annotations

from typing import Any, Final

from agents.ledger import Ledger, MemoryCharter
from agents.redis_link import RedisHome, RedisLink
from bench.machine import CATALOG, POLICY
from bench.scale_homes import Progress, district, fill, models
from deploy.local import Stack
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog

AIM_BYTES: Final = 1_536
MEMBERS: Final = 2
FACTS: Final = 15


async def measure(stack: Stack, households: int, say: Progress) -> dict[str, Any]:
    """Memory of the server with and without so many households of two with fifteen facts."""
    catalog = read_catalog(CATALOG)
    run = district(3_000, 46_000, catalog, read_policy(POLICY, catalog))
    assert run.today is not None
    found = [
        model
        for model in models(run, is_wanted=lambda home: len(home.members) == MEMBERS)
        if model.facts == FACTS and len(model.persons) == MEMBERS
    ]
    out: dict[str, Any] = {
        "households": households,
        "models": len(found),
        "state_bytes": round(sum(len(model.state) for model in found) / len(found)),
        "aim_bytes": AIM_BYTES,
    }
    for key, is_changed in (("bytes", False), ("bytes_before_a_snapshot", True)):
        ledger = Ledger(RedisLink(RedisHome(stack.redis_url)), MemoryCharter(), name="scale")
        try:
            await ledger.link.call("FLUSHALL", "SYNC")
            before = await _used(ledger)
            await fill(
                ledger, found, households, prefix="m.", partitions=8, day=run.today, with_persons=True,
                is_changed=is_changed, say=say,
            )  # fmt: skip
            out[key] = round((await _used(ledger) - before) / households)
        finally:
            await ledger.link.call("FLUSHALL", "SYNC")
            await ledger.close()
    return out


async def _used(ledger: Ledger) -> int:
    """Bytes that the server has handed out."""
    info = await ledger.link.call("INFO", "memory")
    if isinstance(info, dict):
        return int(info["used_memory"])
    text = info.decode() if isinstance(info, bytes) else str(info)
    return int(next(line for line in text.splitlines() if line.startswith("used_memory:")).partition(":")[2])
