"""Benchmark (b): intake, person and household on the embedded broker and server, one process each.

    .venv/bin/python -m bench.pipeline [--rounds 3] [--households 6000] [--json]

One round: a made-up district is registered through the whole pipeline (not measured). Then its life events
go to the department topics, and the stages run over them one after the other, each alone on one core with
all of its input waiting, so that what it costs is not mixed with what its neighbours cost. CPU is user and
system of the whole process, per record that came in, in windows after a warm-up. Then all three run at once
while the rest is published, and last come ticks of many days without any record.

The catalogue and the policy are the whole ones of Wuchang. At the end every household's score is compared
with a backtest of the same lines: the order of arrival, which differs, must not matter to it. Warnings do
depend on the order (a crossing that one order has, another one may not): they must be, byte for byte, those
of a replay of ``household.facts`` through the pure step, and it is counted how many households have as many
as in the backtest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import orjson

from agents.app import STAGES, StageName
from agents.flow import Flow
from agents.ticks import append_ticks, steps
from bench.agreement import agreement
from bench.machine import CATALOG, POLICY, describe, today, yardsticks
from bench.pipeline_figures import cpu_between, summary, windows_of
from bench.servers import Round, end_on_sigterm, server_cpu, servers
from bench.stage_children import Process, started
from rules.compile import Rules, compile_policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.district import District, district_lines
from streams.records import HOUSEHOLD_FACTS
from streams.timestamps import parse_fast

Progress = Callable[[str], None]

THROUGH_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much a round does.

    Attributes:
        warm_up, window: records; the first `warm_up` life events of a stage are not measured.
        measured, together: life events that the stages read one at a time, and all at once.
        tick_days: days that pass at the end without any record.
    """

    households: int = 6_000
    warm_up: int = 30_000
    window: int = 30_000
    measured: int = 90_000
    together: int = 30_000
    tick_days: int = 60
    days: int = 365

    @property
    def events(self) -> int:
        """Life events in all."""
        return self.warm_up + self.measured + self.together


@dataclass(frozen=True, slots=True)
class Lines:
    """A district's lines: its registration, and its life in order of time."""

    registration: list[bytes]
    life: list[bytes]

    @classmethod
    def make(cls, size: Size, catalog: Catalog, seed: int) -> Lines:
        """The same size and seed give the same lines."""
        district = District(size.households, size.events, seed=seed, days=size.days)
        lines = list(district_lines(district, catalog))
        first = f'"time":"{district.begins}T'.encode()
        count = next((at for at, line in enumerate(lines) if first not in line), len(lines))
        return cls(lines[:count], lines[count:])


class Bench:
    """One round."""

    def __init__(self, at: Round, lines: Lines, size: Size, rules: Rules, progress: Progress) -> None:
        self.at = at
        self.lines = lines
        self.size = size
        self.rules = rules
        self.progress = progress
        self.flow: Flow = at.flow()
        self.steps = dict(steps(at.catalog))

    def _started(
        self, stages: Sequence[StageName], *, alone: bool, profile: str | None = None
    ) -> AbstractContextManager[dict[StageName, Process]]:
        return started(
            stages, self.at, warm_up=self.size.warm_up, window=self.size.window, alone=alone, profile=profile
        )

    async def through(self, stages: Sequence[StageName]) -> None:
        """Wait until what was published has come through some stages."""
        async with asyncio.timeout(THROUGH_SECONDS):
            await self.flow.through([(stage, self.steps[stage]) for stage in stages])

    async def play(self, profile: str | None = None) -> dict[str, Any]:
        """The whole round; its figures."""
        try:
            registration = await self._register()
            size = self.size
            life = self.lines.life
            first = size.warm_up + size.measured
            self.progress(f"publishing {first:,} life events")
            await self.at.publish(life[:first])
            out: dict[str, Any] = {"registration": registration, "stages": {}}
            for stage in STAGES:
                out["stages"][stage] = await self._alone(stage, profile)
            out["together"] = await self._together(life[first:])
            out["ticks"] = out["together"].pop("ticks")
            self.progress("comparing with a backtest")
            out["agreement"] = await agreement(
                self.at, self.flow.ledger, self.rules,
                [*self.lines.registration, *self.lines.life], out["ticks"]["until_day"],
            )  # fmt: skip
        finally:
            await self.flow.close()
            await self.flow.ledger.close()
        return out

    async def _register(self) -> dict[str, int]:
        """Let a district appear; how many events, and how many records for households, that took."""
        with self._started(STAGES, alone=False) as processes:
            await asyncio.gather(*(process.ready() for process in processes.values()))
            self.progress(f"registering {self.size.households:,} households")
            await self.at.publish(self.lines.registration)
            await self.through(STAGES)
            await asyncio.gather(*(process.stop() for process in processes.values()))
        records = (await self.at.ends([HOUSEHOLD_FACTS]))[HOUSEHOLD_FACTS]
        return {"events": len(self.lines.registration), HOUSEHOLD_FACTS: records}

    async def _alone(self, stage: StageName, profile: str | None) -> dict[str, Any]:
        """A stage over all that waits for it, on one core."""
        self.progress(f"{stage} alone")
        with self._started([stage], alone=True, profile=profile) as processes:
            before = server_cpu(self.at.stack)
            process = processes[stage]
            await process.ready()
            await self.through([stage])
            samples = await process.stop()
        servers = server_cpu(self.at.stack)
        windows = list(windows_of(samples))
        read = samples[-1].records if samples else 0
        if not windows:
            raise RuntimeError(f"{stage}: no window was completed; {read} records were read")
        return {
            "windows": windows,
            "servers_us": {
                name: round((servers[name] - before[name]) * 1e6 / read, 2) for name in sorted(servers)
            },
        }

    async def _together(self, lines: Sequence[bytes]) -> dict[str, Any]:
        """All stages at once, on all cores, while events are published; then ticks alone."""
        self.progress("all stages together")
        with self._started(STAGES, alone=False) as processes:
            await asyncio.gather(*(process.ready() for process in processes.values()))
            used = {stage: process.cpu for stage, process in processes.items()}
            servers = server_cpu(self.at.stack)
            began = time.monotonic()
            await self.at.publish(lines)
            await self.through(STAGES)
            wall = time.monotonic() - began
            us = 1e6 / len(lines)
            cpu = {stage: (process.cpu - used[stage]) * us for stage, process in processes.items()}
            servers_after = server_cpu(self.at.stack)
            out: dict[str, Any] = {
                "events": len(lines),
                "events_per_second": round(len(lines) / wall),
                "cpu_us": {stage: round(value, 1) for stage, value in cpu.items()},
                "servers_us": {
                    name: round((servers_after[name] - servers[name]) * us, 1) for name in sorted(servers)
                },
            }
            out["ticks"] = await self._ticks(processes["household"])
            await asyncio.gather(
                *(process.stop() for process in processes.values() if process.stage != "household")
            )
            samples = await processes["household"].stop()
        first, last = [sample for sample in samples if sample.name == "mark"][-2:]
        households = last.caught_up - first.caught_up
        out["ticks"] |= {
            "households": households,
            "us": round(cpu_between(first, last) * 1e6 / max(1, households), 1),
        }
        return out

    async def _ticks(self, household: Process) -> dict[str, Any]:
        self.progress(f"{self.size.tick_days} days of ticks")
        day_of = self.rules.calendar.day_of
        last = max(day_of(_received(line)) for line in self.lines.life[-1000:])
        until = last + self.size.tick_days
        household.mark()
        done = await append_ticks(
            until, kafka=self.at.kafka, ledger=self.flow.ledger, catalog=self.at.catalog,
            calendar=self.rules.calendar, topic_prefix=self.at.prefix, timeout_seconds=THROUGH_SECONDS,
        )  # fmt: skip
        household.mark()
        return {"days": self.size.tick_days, "until_day": until, "records": done.ticks}


def _received(line: bytes) -> int:
    head = orjson.loads(line)
    instant = parse_fast(head.get("recordedtime") or head["time"])
    assert instant is not None
    return instant


def measure(
    size: Size, rounds: int, progress: Progress, *, profile: str | None = None,
    then: Callable[[Round, dict[str, Any]], Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run some rounds on one stack.

    Args:
        profile: beginning of the paths that profiles of the stages are written to.
        then: called with the last round and its figures while the servers still run; its answer is under
            `then`.
    """
    catalog = read_catalog(CATALOG)
    rules = compile_policy(read_policy(POLICY, catalog), catalog)
    done = []
    out: dict[str, Any] = {}
    with servers(progress) as stack:
        for number in range(1, rounds + 1):

            def tell(what: str, number: int = number) -> None:
                progress(f"round {number} of {rounds}: {what}")

            tell("making a district")
            lines = Lines.make(size, catalog, seed=number)
            at = Round(stack, catalog, f"b{number}.")
            done.append(asyncio.run(Bench(at, lines, size, rules, tell).play(profile)))
            if number == rounds:
                out["yardsticks"] = yardsticks(lines.life)
                if then is not None:
                    out["then"] = then(at, done[-1])
    return {"summary": summary(done), "rounds": done, **out}


def main() -> None:
    """Print the figures, as a table or as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--households", type=int, default=Size().households)
    parser.add_argument("--profile", help="write cProfile files of the stages to PATH.<stage>")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    end_on_sigterm()

    def tell(what: str) -> None:
        print(what, file=sys.stderr)

    result = measure(Size(given.households), given.rounds, tell, profile=given.profile)
    if given.json:
        print(json.dumps({"benchmark": "pipeline", "date": today(), **describe(), **result}))
        return
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
