"""A partition that is being made again stays with whoever makes it, however long the others take."""

from __future__ import annotations

import asyncio

import pytest

from agents.ledger import Ledger, restoring
from agents.ledger.restoring import Place, Restoring
from streams.errors import InputError, LedgerError

PLACE = Place("s", "t", 0)


@pytest.fixture(autouse=True)
def _short_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "LOCK_SECONDS", 1)


async def lapses_at(ledger: Ledger, one: Restoring) -> int:
    return int(await ledger.link.call("PEXPIRETIME", one._lock))


async def prolonged(ledger: Ledger, one: Restoring, times: int = 6) -> None:
    """Wait until the lock was prolonged so often: by more than its length in all."""
    async with asyncio.timeout(60):
        last = await lapses_at(ledger, one)
        while times:
            await asyncio.sleep(0.01)
            now = await lapses_at(ledger, one)
            assert now > 0, "the lock has lapsed"
            if now != last:
                last, times = now, times - 1


async def test_the_lock_of_one_that_waits_does_not_lapse(ledger: Ledger) -> None:
    one, other = Restoring(ledger, PLACE), Restoring(ledger, PLACE)
    await one.begin()
    await prolonged(ledger, one)
    with pytest.raises(InputError, match="another rebuild is at work"):
        await other.begin()
    await one.open(1, {}, {}, {})
    assert await ledger.link.call("EXISTS", one._lock) == 0
    await other.begin()
    await other.close()


async def test_one_that_was_given_up_lets_others_in_when_its_lock_has_lapsed(ledger: Ledger) -> None:
    one, other = Restoring(ledger, PLACE), Restoring(ledger, PLACE)
    await one.begin()
    await one.close()
    async with asyncio.timeout(60):
        while await lapses_at(ledger, one) > 0:  # noqa: ASYNC110 - a key that lapses tells nobody
            await asyncio.sleep(0.01)
    await other.begin()
    with pytest.raises(LedgerError, match="by another meanwhile"):
        await one.open(1, {}, {}, {})
    await other.release()
