"""Whether states and warnings after a run are those of a backtest, and of a replay of its log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from agents.ledger import Ledger
from bench.servers import Round
from rules import household as core
from rules.backtest import Backtest
from rules.compile import Rules
from rules.score import add_up
from streams.records import HOUSEHOLD_FACTS, WARNINGS, Tick, decode_household_record


async def agreement(
    at: Round, ledger: Ledger, rules: Rules, lines: Iterable[bytes], until: int
) -> dict[str, Any]:
    """The same lines as a backtest: scores must be the same, and most warnings are."""
    run = Backtest(at.catalog, rules.policy, rules)
    for number, line in enumerate(lines, start=1):
        run.feed(number, line)
    run.finish(until)
    expected = {row["household"]: row for row in run.scores()}
    found = {}
    for partition in range(at.partitions[HOUSEHOLD_FACTS]):
        topic = at.prefix + HOUSEHOLD_FACTS
        async for id, state in ledger.scan("household", topic, partition):
            home = core.decode(state)
            if home.members:
                score = add_up(home, rules)
                found[id] = (home.community, len(home.members), score.total, score.dimensions)
    same = sum(
        id in found
        and found[id] == (row["community"], row["members"], row["score"], tuple(row["dimensions"].values()))
        for id, row in expected.items()
    )
    warned = Counter(warning.household for warning in run.warnings)
    live: dict[str, set[bytes]] = {}
    for record in await at.read(WARNINGS):
        live.setdefault(record.key.decode(), set()).add(record.value)
    replayed = await replay(at, rules)
    alike = sum(len(live.get(id, ())) == warned[id] for id in warned.keys() | live.keys())
    return {
        "households": len(expected),
        "households_live": len(found),
        "same_score": same,
        "warnings": sum(warned.values()),
        "warnings_live": sum(map(len, live.values())),
        "same_as_replay": set().union(*live.values()) == set(replayed) and len(replayed),
        "warned_households": len(warned.keys() | live.keys()),
        "same_number_of_warnings": alike,
    }


async def replay(at: Round, rules: Rules) -> list[bytes]:
    """The warnings that the pure step gives for the log of ``household.facts``."""
    homes: dict[str, core.Household] = {}
    days: dict[int, int] = {}
    marks: dict[tuple[int, str], tuple[int, int]] = {}
    partition_of: dict[str, int] = {}
    effects: list[core.Effect] = []
    for record in await at.read(HOUSEHOLD_FACTS):
        partition = record.partition
        message = decode_household_record(record.value)
        if isinstance(message, Tick):
            days[partition] = max(days.get(partition, message.day), message.day)
            continue
        mark = (partition, message.channel)
        if message.number <= marks.get(mark, (-1, -1)):
            continue
        marks[mark] = message.number
        today = rules.calendar.day_of(message.received)
        day = days[partition] = max(days.get(partition, today), today)
        home = homes.get(message.household)
        if home is None:
            home = homes[message.household] = core.new(message.household)
            partition_of[message.household] = partition
        effects += core.step(home, message, rules=rules, day=day, offset=record.offset)[1]
    for id, home in homes.items():
        effects += core.catch_up(home, rules=rules, day=days[partition_of[id]])[1]
    return [effect.body for effect in effects if isinstance(effect, core.Warning)]
