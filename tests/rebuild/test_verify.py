"""``rebuild --verify`` looks at all that the ledger holds: states, day, marks, levels, the index of days."""

from __future__ import annotations

import pytest

import agents.rebuild.verify
from agents.ledger import Ledger
from agents.ledger.restoring import Place, account
from agents.rebuild.restore import Rebuild
from agents.rebuild.verify import Verified, verify
from rules import household
from rules.calendar import NEVER
from streams.records import HOUSEHOLD_FACTS, encode
from tests.agents.activating import POLICY, STRICTER, House
from tests.agents.rig import Rig
from tests.agents.test_household_stage import ill
from tests.rebuild.town import Towns, some_lines

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def house(rig: Rig) -> House:
    """A household worker's topics."""
    return House(rig, partitions=1)


async def verified(house: House, ledger: Ledger) -> Verified:
    rebuild = Rebuild(house.config(), ledger)
    try:
        return await verify(rebuild, ledger, Place("household", house.rig.prefix + HOUSEHOLD_FACTS, 0))
    finally:
        await rebuild.close()


async def test_what_is_kept_beside_states_is_compared_too(rig: Rig, towns: Towns) -> None:
    town = await towns(1)
    await town.publish_all(some_lines(60, 600))
    await town.settled()
    ledger = await rig.ledger()
    place = Place("household", rig.prefix + HOUSEHOLD_FACTS, 0)
    head, _, marks, days, counts, _ = ledger.keys(place.stage, place.topic, place.partition)
    await town.stop()
    kept = await account(ledger, place)
    assert sum(kept.standing.counts.values()) > 0
    levels = sorted(level for level, number in kept.standing.counts.items() if number)
    (clean,) = await town.verify("household")
    assert (clean.first, clean.differences, clean.is_counted) == ("", 0, True)

    async def told(command: str, *wrong: str, back: tuple[str, ...]) -> str:
        await ledger.link.call(command, *wrong)
        (found,) = await town.verify("household")
        await ledger.link.call(*back)
        assert found.differences == 1
        return found.first

    number = kept.standing.counts[levels[0]]
    assert (
        await told("HSET", counts, levels[0], str(number + 1), back=("HSET", counts, levels[0], str(number)))
        == f"households at level {levels[0]}: live {number + 1}, rebuilt {number}"
    )
    assert (
        await told("HSET", counts, "mauve", "3", back=("HDEL", counts, "mauve"))
        == "households at level mauve: live 3, rebuilt None"
    )
    channel, mark = next(iter(kept.standing.marks.items()))
    assert (
        await told("HSET", marks, channel, "1 0", back=("HSET", marks, channel, mark))
        == f"the mark of {channel}: live 1 0, rebuilt {mark}"
    )
    day = kept.standing.head["day"]
    later = str(int(day) - 1)
    assert (
        await told("HSET", head, "day", later, back=("HSET", head, "day", day))
        == f"day: live {later}, rebuilt {day}"
    )
    nexts = {
        key: household.decode(raw).next_day
        async for key, raw in ledger.scan(place.stage, place.topic, place.partition)
    }
    key, due = next((key, day) for key, day in nexts.items() if day < NEVER)
    wrong = str(due + 1)
    assert (
        await told("ZADD", days, wrong, key, back=("ZADD", days, str(due), key))
        == f"household {key}: due at {wrong} by the index, at {due} by its state"
    )
    assert (
        await told("ZADD", days, wrong, "H-nobody", back=("ZREM", days, "H-nobody"))
        == f"household H-nobody: due at {wrong} by the index, at None by its state"
    )
    assert (await town.verify("household"))[0].first == ""


async def test_after_an_activation_marks_and_levels_are_what_a_rebuild_makes(house: House) -> None:
    worker, signals = await house.worker()
    await house.rig.send(HOUSEHOLD_FACTS, [(b"~p%d" % n, _ill(n)) for n in range(30)])
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    house.activate(STRICTER)
    await house.swept(signals, 2)
    house.activate(POLICY)
    await house.swept(signals, 3)
    house.activate(STRICTER)
    await house.swept(signals, 4)
    ledger = await house.rig.ledger()
    found = await verified(house, ledger)
    assert (found.first, found.states, found.is_counted) == ("", 30, True)
    await worker.stop()
    at = (await account(ledger, Place("household", house.rig.prefix + HOUSEHOLD_FACTS, 0))).standing
    assert at.counts["blue"] == 30
    assert at.marks["activation"] == "4 0"


async def test_levels_are_not_judged_while_a_policy_is_being_taken_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents.rebuild.verify, "_LOOKS", 0)
    worker, signals = await house.worker()
    await house.rig.send(HOUSEHOLD_FACTS, [(b"~p%d" % n, _ill(n)) for n in range(30)])
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    house.activate(STRICTER)
    await house.swept(signals, 2)
    await worker.stop()
    ledger = await house.rig.ledger()
    marks = ledger.keys("household", house.rig.prefix + HOUSEHOLD_FACTS, 0)[2]
    await ledger.link.call("HDEL", marks, "activation")  # as if the sweep had not come to its end
    found = await verified(house, ledger)
    assert (found.first, found.is_counted) == ("", False)


def _ill(number: int) -> bytes:
    return encode(ill(1 + number, person=f"p{number}"))
