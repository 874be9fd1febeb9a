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
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson

from agents.app import STAGES, StageName
from agents.flow import Flow
from agents.ticks import append_ticks, steps
from bench.machine import CATALOG, POLICY, ROOT, cpu_seconds, describe, places, spread, today, yardsticks
from bench.servers import NAMESPACE, Round, server_cpu, servers
from bench.stage_process import Sample
from rules import household as core
from rules.backtest import Backtest
from rules.compile import Rules, compile_policy
from rules.policy_file import read_policy
from rules.score import add_up
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.district import District, district_lines
from streams.records import HOUSEHOLD_FACTS, WARNINGS, Tick, decode_household_record
from streams.timestamps import parse_fast

Progress = Callable[[str], None]

#: CPU per record in microseconds that each stage is meant to stay within.
AIMS: Final = {"intake": 12.0, "person": 8.0, "household": 20.0}
READY_SECONDS: Final = 60.0
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


class Process:
    """A stage in a process of its own."""

    def __init__(
        self, stage: StageName, at: Round, warm_up: int, window: int, cores: Sequence[int],
        profile: str | None = None, policy: Path = POLICY, cache_bytes: int | None = None,
        module: str = "bench.stage_process",
    ) -> None:  # fmt: skip
        self.stage = stage
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        order = {
            "stage": stage, "kafka": at.stack.kafka_bootstrap, "redis": at.stack.redis_url,
            "prefix": at.prefix, "namespace": NAMESPACE, "cores": list(cores),
            "warm_up": warm_up, "window": window, "policy": str(policy),
            "profile": f"{profile}.{stage}" if profile else None,
            "cache_bytes": cache_bytes,
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    async def ready(self) -> None:
        """Wait until it is connected."""
        line = await asyncio.wait_for(asyncio.to_thread(self._line), READY_SECONDS)
        if line != "ready":
            raise RuntimeError(f"the {self.stage} process did not start: {line!r}")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def mark(self) -> None:
        """Let it take a sample now."""
        self._process.send_signal(signal.SIGUSR1)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self._process.pid)

    async def stop(self) -> list[Sample]:
        """End it; its samples."""
        self._process.send_signal(signal.SIGTERM)
        line = await asyncio.wait_for(asyncio.to_thread(self._line), READY_SECONDS)
        self._process.wait(READY_SECONDS)
        return [Sample(**fields) for fields in json.loads(line)]

    def kill(self) -> None:
        """End it without a word, unless it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def started(
    stages: Sequence[StageName], at: Round, size: Size, *, alone: bool, profile: str | None = None
) -> Iterator[dict[StageName, Process]]:
    """Processes of some stages; one that runs alone has a core to itself."""
    cores = places()[0] if alone else sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        processes = {}
        for stage in stages:
            process = processes[stage] = Process(stage, at, size.warm_up, size.window, cores, profile)
            stack.callback(process.kill)
        yield processes


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
            out["agreement"] = await self._agreement(out["ticks"]["until_day"])
        finally:
            await self.flow.close()
            await self.flow.ledger.close()
        return out

    async def _register(self) -> dict[str, int]:
        """Let a district appear; how many events, and how many records for households, that took."""
        with started(STAGES, self.at, self.size, alone=False) as processes:
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
        with started([stage], self.at, self.size, alone=True, profile=profile) as processes:
            before = server_cpu(self.at.stack)
            process = processes[stage]
            await process.ready()
            await self.through([stage])
            samples = await process.stop()
        servers = server_cpu(self.at.stack)
        windows = list(_windows(samples))
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
        with started(STAGES, self.at, self.size, alone=False) as processes:
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
            "us": round(_cpu(first, last) * 1e6 / max(1, households), 1),
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

    async def _agreement(self, until: int) -> dict[str, Any]:
        """The same lines as a backtest: scores must be the same, and most warnings are."""
        self.progress("comparing with a backtest")
        run = Backtest(self.at.catalog, self.rules.policy, self.rules)
        for number, line in enumerate([*self.lines.registration, *self.lines.life], start=1):
            run.feed(number, line)
        run.finish(until)
        expected = {row["household"]: row for row in run.scores()}
        found = {}
        ledger = self.flow.ledger
        for partition in range(self.at.partitions[HOUSEHOLD_FACTS]):
            topic = self.at.prefix + HOUSEHOLD_FACTS
            async for id, state in ledger.scan("household", topic, partition):
                home = core.decode(state)
                if home.members:
                    score = add_up(home, self.rules)
                    found[id] = (home.community, len(home.members), score.total, score.dimensions)
        same = sum(
            id in found
            and found[id]
            == (row["community"], row["members"], row["score"], tuple(row["dimensions"].values()))
            for id, row in expected.items()
        )
        warned = Counter(warning.household for warning in run.warnings)
        live: dict[str, set[bytes]] = {}
        for record in await self.at.read(WARNINGS):
            live.setdefault(record.key.decode(), set()).add(record.value)
        replayed = await self.replay()
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

    async def replay(self) -> list[bytes]:
        """The warnings that the pure step gives for the log of ``household.facts``."""
        rules = self.rules
        homes: dict[str, core.Household] = {}
        days: dict[int, int] = {}
        marks: dict[tuple[int, str], tuple[int, int]] = {}
        partition_of: dict[str, int] = {}
        effects: list[core.Effect] = []
        for record in await self.at.read(HOUSEHOLD_FACTS):
            at = record.partition
            message = decode_household_record(record.value)
            if isinstance(message, Tick):
                days[at] = max(days.get(at, message.day), message.day)
                continue
            mark = (at, message.channel)
            if message.number <= marks.get(mark, (-1, -1)):
                continue
            marks[mark] = message.number
            today = rules.calendar.day_of(message.received)
            day = days[at] = max(days.get(at, today), today)
            home = homes.get(message.household)
            if home is None:
                home = homes[message.household] = core.new(message.household)
                partition_of[message.household] = at
            effects += core.step(home, message, rules=rules, day=day, offset=record.offset)[1]
        for id, home in homes.items():
            effects += core.catch_up(home, rules=rules, day=days[partition_of[id]])[1]
        return [effect.body for effect in effects if isinstance(effect, core.Warning)]


def _received(line: bytes) -> int:
    head = orjson.loads(line)
    instant = parse_fast(head.get("recordedtime") or head["time"])
    assert instant is not None
    return instant


def _cpu(first: Sample, last: Sample) -> float:
    return last.user + last.system - first.user - first.system


def _windows(samples: Sequence[Sample]) -> Iterator[dict[str, float]]:
    windows = [sample for sample in samples if sample.name == "window"]
    for first, last in pairwise(windows):
        records = last.records - first.records
        yield {
            "records": records,
            "cpu_us": round(_cpu(first, last) * 1e6 / records, 3),
            "loop_us": round((last.loop - first.loop) * 1e6 / records, 3),
            "system_us": round((last.system - first.system) * 1e6 / records, 3),
            "records_per_second": round(records / (last.wall - first.wall)),
            "records_per_part": round(records / max(1, last.parts - first.parts)),
            "states_per_record": round((last.states - first.states) / records, 3),
            "caught_up": last.caught_up - first.caught_up,
        }


def summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Least, median and greatest over the windows of all rounds."""
    out: dict[str, Any] = {}
    for stage in STAGES:
        windows = [window for one in rounds for window in one["stages"][stage]["windows"]]
        out[stage] = {
            "aim_us": AIMS[stage],
            "cpu_us": spread([window["cpu_us"] for window in windows]),
            "loop_us": spread([window["loop_us"] for window in windows]),
            "system_us": spread([window["system_us"] for window in windows]),
            "records_per_second": spread([window["records_per_second"] for window in windows], 0),
            "records_per_part": spread([window["records_per_part"] for window in windows], 0),
            "servers_us": {
                name: spread([one["stages"][stage]["servers_us"][name] for one in rounds])
                for name in rounds[0]["stages"][stage]["servers_us"]
            },
        }
    out["together"] = {
        "events_per_second": spread([one["together"]["events_per_second"] for one in rounds], 0),
    }
    out["tick_us"] = spread([one["ticks"]["us"] for one in rounds], 1)
    out["agreement"] = [one["agreement"] for one in rounds]
    return out


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


def end_on_sigterm() -> None:
    """Let SIGTERM end the program as Ctrl-C does, so that the servers are stopped."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


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
