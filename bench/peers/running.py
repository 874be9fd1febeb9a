"""Runs the programs one after the other over the same records, each alone on one core."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Timer
from typing import Any, Final

import msgspec
import orjson

from agents.flow import Flow
from bench import faust_documented
from bench.machine import places, spread
from bench.peers import by_hand, toy
from bench.peers.installing import HERE, Installed
from bench.peers.load import Load, fill, records
from bench.peers.programs import Program
from bench.servers import Round, server_cpu
from bench.stage_children import Process
from streams import topics
from streams.kafka_clients import Connection
from streams.records import HOUSEHOLD_FACTS, WARNINGS

Progress = Callable[[str], None]

POLICY: Final = HERE / "toy.yaml"
PARTITIONS: Final = 8
#: Longer than anything but Faust takes; that one is given more.
SECONDS: Final = 240.0

Raised = Counter[tuple[str, str]]
"""(id, level) of each warning, and how often it is there."""


class ProgramError(Exception):
    """A program did not do its work; says which and why."""


def expected(load: Load) -> tuple[Raised, list[float]]:
    """What a plain loop raises; and the mean bytes of a state by hand at the first and the last mark."""
    homes: dict[bytes, bytes] = {}
    raised: list[bytes] = []
    means = []
    ends = (load.marks[0], load.marks[-1])
    for number, (key, value) in enumerate(records(load), start=1):
        homes[key], warning = toy.step(homes.get(key), toy.message_of(value))
        if warning is not None:
            raised.append(warning)
        if number in ends:
            means.append(round(sum(map(len, homes.values())) / max(1, len(homes)), 1))
    return counted(raised), means


def counted(bodies: Iterable[bytes]) -> Raised:
    """Warnings by id and level.

    Raises:
        ProgramError: a body is no warning.
    """
    out: Raised = Counter()
    for body in bodies:
        try:
            read = orjson.loads(body)
            out[read["id"], read["data"]["level"]] += 1
        except (ValueError, KeyError, TypeError) as error:
            raise ProgramError(f"no warning: {body[:80]!r}") from error
    return out


def compared(found: Raised, wanted: Raised, *, is_part: bool = False) -> dict[str, Any]:
    """How what a program raised stands to what it should have.

    Args:
        is_part: it has read the beginning only, so later ones are not missing.
    """
    return {
        "warnings": found.total(),
        "expected": wanted.total(),
        "missing": (wanted - found).total(),
        "unexpected": (found - wanted).total(),
        "agrees": found <= wanted if is_part else found == wanted,
    }


def windows_of(samples: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Figures between each two samples.

    Raises:
        ProgramError: there are no two.
    """
    if len(samples) < 2:
        raise ProgramError(f"{len(samples)} samples make no window")
    out = []
    for first, last in pairwise(samples):
        count = last["records"] - first["records"]
        out.append(
            {
                "records": count,
                "cpu_us": round((last["cpu"] - first["cpu"]) * 1e6 / count, 3),
                "records_per_second": round(count / (last["wall"] - first["wall"])),
            }
        )
    return out


class Comparison:
    """One round: the topic is filled once, and every program reads it."""

    def __init__(
        self, at: Round, load: Load, installed: Installed, wanted: Raised, progress: Progress
    ) -> None:
        self.at = at
        self.load = load
        self.installed = installed
        self.wanted = wanted
        self.progress = progress

    def play(self, programs: Iterable[Program]) -> dict[str, Any]:
        """Run them; figures by name. One that does not end well is told as ``failed``."""
        self.progress(f"writing {self.load.records:,} records")
        asyncio.run(fill(self.at, self.load))
        out = {}
        for program in programs:
            self.progress(program.title)
            before = server_cpu(self.at.stack)
            try:
                figures = self._run(program)
            except (ProgramError, RuntimeError, OSError, TimeoutError) as error:
                out[program.name] = {"failed": str(error) or type(error).__name__}
                continue
            after = server_cpu(self.at.stack)
            out[program.name] = figures | {
                "servers_us": {
                    name: round((after[name] - before[name]) * 1e6 / self.load.records, 2)
                    for name in sorted(after)
                }
            }
        return out

    def _run(self, program: Program) -> dict[str, Any]:
        if program.kind == "ours":
            is_by_hand = program.module == by_hand.NAME
            name = WARNINGS
            if is_by_hand:
                self._warnings_topic(name := by_hand.SENDS_TO)
            figures = asyncio.run(self._ours(by_hand.NAME if is_by_hand else "household"))
            found = counted(record.value for record in asyncio.run(self.at.read(name)))
        elif program.kind == "faust":
            marks = self.load.few_marks
            reply = faust_documented.run(self.at, marks, policy=POLICY)
            figures = {"windows": windows_of(reply["samples"])}
            found = counted(body.encode() for body in reply["warnings"])
        else:
            figures = self._peer(program)
            name = f"{program.name}.{WARNINGS}"
            read = asyncio.run(self.at.read(name, isolation_level="read_committed"))
            found = counted(record.value for record in read)
        return figures | {"agreement": compared(found, self.wanted, is_part=program.kind == "faust")}

    def _warnings_topic(self, name: str) -> None:
        at = self.at
        at.partitions[name] = PARTITIONS
        topics.create(
            Connection(at.stack.kafka_bootstrap),
            [topics.Topic(at.prefix + name, PARTITIONS, 1, {}, "warnings")],
        )

    async def _ours(self, stage: str) -> dict[str, Any]:
        load, at = self.load, self.at
        module = "bench.stage_process" if stage == "household" else "bench.peers.by_hand"
        process = Process(
            "household", at, load.warm_up, load.window, places()[0], policy=POLICY, module=module
        )
        flow: Flow = at.flow()
        try:
            await process.ready()
            async with asyncio.timeout(SECONDS):
                await flow.through([(stage, [HOUSEHOLD_FACTS])])
            samples = await process.stop()
            states = bytes_ = 0
            for partition in range(PARTITIONS):
                async for _, state in flow.ledger.scan(stage, at.prefix + HOUSEHOLD_FACTS, partition):
                    states += 1
                    bytes_ += len(state)
        finally:
            process.kill()
            await flow.close()
            await flow.ledger.close()
        taken = [
            {"records": sample.records, "cpu": sample.user + sample.system, "wall": sample.wall}
            for sample in samples
            if sample.name == "window"
        ]
        return {"windows": windows_of(taken), "state_bytes": round(bytes_ / max(1, states), 1)}

    def _peer(self, program: Program) -> dict[str, Any]:
        at, load = self.at, self.load
        group = f"{at.prefix}{program.name}"
        name = f"{program.name}.{WARNINGS}"
        self._warnings_topic(name)
        with tempfile.TemporaryDirectory(prefix="hearthwatch-peer-") as folder:
            order = {
                "kafka": at.stack.kafka_bootstrap, "group": group, "folder": folder,
                "facts": at.prefix + HOUSEHOLD_FACTS, "warnings": at.prefix + name,
                "records": load.records, "marks": load.marks, "commit_seconds": program.commit_seconds,
            }  # fmt: skip
            lines = run_alone(program, *program.command(self.installed, order), Path(folder))
        samples = [line for line in lines if "records" in line]
        return {"windows": windows_of(samples), "versions": lines[-1]["versions"]}


def run_alone(program: Program, command: Sequence[str], given: str, folder: Path) -> list[dict[str, Any]]:
    """Run a peer on one core to its end; what it told, line by line.

    Raises:
        ProgramError: it failed, or took too long; with the end of what it complained about.
    """
    cores = places()[0]

    def alone() -> None:
        if cores:
            os.sched_setaffinity(0, cores)

    with (folder / "stderr").open("w+") as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True,
            cwd=folder, env=os.environ | program.environment(), preexec_fn=alone,  # noqa: PLW1509 - no threads
        )  # fmt: skip
        timer = Timer(SECONDS, process.kill)
        timer.start()
        try:
            out, _ = process.communicate(given)
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
        complaints.seek(0)
        lines = lines_of(out)
        if process.returncode or not lines or not lines[-1].get("done"):
            last = " / ".join(complaints.read().strip().splitlines()[-3:])
            raise ProgramError(f"{program.title} ended with {process.returncode}: {last or 'no word'}")
    return lines


def lines_of(out: str) -> list[dict[str, Any]]:
    """The lines of JSON objects among what a program wrote; its own words are passed over."""
    lines = []
    for line in out.splitlines():
        if line.startswith("{"):
            try:
                lines.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError:
                continue
    return lines


def summary(rounds: Sequence[Mapping[str, Any]], programs: Iterable[Program]) -> dict[str, Any]:
    """By program: least, median and greatest over the windows of all rounds, or why there are none."""
    out: dict[str, Any] = {}
    for program in programs:
        runs = [one[program.name] for one in rounds if program.name in one]
        good = [run for run in runs if "failed" not in run]
        about = {"title": program.title, "set_as": program.set_as, "durable": program.durable}
        if not good:
            why = runs[-1]["failed"] if runs else "not run"
            out[program.name] = about | {"failed": why}
            continue
        windows = [window for run in good for window in run["windows"]]
        out[program.name] = about | {
            "cpu_us": spread([window["cpu_us"] for window in windows]),
            "records_per_second": spread([window["records_per_second"] for window in windows], 0),
            "servers_us": {
                name: spread([run["servers_us"][name] for run in good]) for name in good[0]["servers_us"]
            },
            "agreement": [run["agreement"] for run in good],
            "failures": [run["failed"] for run in runs if "failed" in run],
        }
        for more in ("versions", "state_bytes"):
            if more in good[-1]:
                out[program.name][more] = good[-1][more]
    return out
