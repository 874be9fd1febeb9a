"""Benchmark (c): the household stage's keyed work in Faust as its documentation teaches, on the same topic.

An agent takes events one by one (``async for event in stream``), looks the household up in a table
(``app.Table``, in memory, with its changelog on Kafka), computes, and writes it back; warnings go out with
``topic.send``; the guarantee is the default, ``at_least_once``. What it computes is the very same: the same
records, read from the same partitions of the same broker, decoded the same way, the same pure step with the
whole policy, the same bytes as state. So the difference is what surrounds the work.

It is given what favours it: the topic is keyed already (no second hop by ``group_by``), keys and values pass
its codecs as bytes, no web server, no marks, no ticks for households without a record, and transfers, which
are in the topic already, are computed but not sent again. What it does not do is what the stage is for: state
and offset in one commit. (That its own guarantees do not hold is another matter: docs/explanation.)
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import faust

from bench.machine import CATALOG, POLICY, ROOT, places, spread
from bench.servers import Round
from rules import household as core
from rules.compile import compile_policy
from rules.policy_file import read_policy
from streams import topics
from streams.catalog_file import read_catalog
from streams.kafka_clients import Connection
from streams.records import HOUSEHOLD_FACTS, WARNINGS, Tick, decode_household_record

SECONDS: Final = 300.0


def application(order: dict[str, Any]) -> faust.App:
    """The app as a reader of Faust's documentation would write it."""
    catalog = read_catalog(CATALOG)
    rules = compile_policy(read_policy(order["policy"], catalog), catalog)
    day_of = rules.calendar.day_of
    partitions: int = order["partitions"]

    app = faust.App(
        order["group"],
        broker=f"kafka://{order['kafka']}",
        store="memory://",
        topic_partitions=partitions,
        processing_guarantee="at_least_once",
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        datadir=order["folder"],
    )
    facts = app.topic(order["prefix"] + HOUSEHOLD_FACTS, key_type=bytes, value_type=bytes)
    warnings = app.topic(order["prefix"] + "faust." + WARNINGS, key_type=bytes, value_type=bytes)
    households = app.Table("households", key_type=bytes, value_type=bytes, partitions=partitions)

    days: dict[int, int] = {}
    counts = {"records": 0, "warnings": 0}
    samples: list[dict[str, float]] = []
    marks: list[int] = order["marks"]
    raised: list[str] = []

    @app.agent(facts)
    async def household(stream: Any) -> None:
        async for event in stream.events():
            message = decode_household_record(event.value)
            partition = event.message.partition
            if isinstance(message, Tick):
                days[partition] = max(days.get(partition, message.day), message.day)
            else:
                today = day_of(message.received)
                day = days[partition] = max(days.get(partition, today), today)
                raw = households.get(event.key)
                state = core.new(message.household) if raw is None else core.decode(raw)
                state, effects = core.step(state, message, rules=rules, day=day, offset=event.message.offset)
                households[event.key] = core.encode(state)
                for effect in effects:
                    if isinstance(effect, core.Warning):
                        await warnings.send(key=event.key, value=effect.body)
                        raised.append(effect.body.decode())
            counts["records"] += 1
            if counts["records"] in marks:
                used = resource.getrusage(resource.RUSAGE_SELF)
                samples.append(
                    {
                        "records": counts["records"],
                        "cpu": used.ru_utime + used.ru_stime,
                        "wall": time.monotonic(),
                    }
                )
                if len(samples) == 1:
                    gc.collect()
                    gc.freeze()
                if counts["records"] == marks[-1]:
                    print(json.dumps({"samples": samples, "warnings": raised}), flush=True)

    del household
    return app


def main() -> None:
    """What the child process does: run the app as ``faust worker`` does."""
    order = json.loads(sys.stdin.readline())
    if order["cores"]:
        os.sched_setaffinity(0, order["cores"])
    app = application(order)
    worker = faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False)
    worker.execute_from_commandline()


def measure(
    at: Round, *, skip: int, window: int, windows: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Run Faust over the beginning of a round's ``household.facts``.

    Args:
        skip: records before the first window (the registration, and the first life events).

    Returns:
        ``cpu_us`` per record in windows, and ``agreement``: each warning that Faust raised must be one of
        the pipeline's, byte for byte.
    """
    held = asyncio.run(at.ends([HOUSEHOLD_FACTS]))[HOUSEHOLD_FACTS]
    windows = min(windows, (held - skip) // window)
    if windows < 1:
        raise RuntimeError(f"{HOUSEHOLD_FACTS} has {held} records: too few for a window after {skip}")
    marks = [skip + window * number for number in range(windows + 1)]
    progress(f"Faust as documented: {marks[-1]:,} records")
    reply = run(at, marks)
    live = {record.value.decode() for record in asyncio.run(at.read(WARNINGS))}
    samples = reply["samples"]
    figures = [
        {
            "records": last["records"] - first["records"],
            "cpu_us": (last["cpu"] - first["cpu"]) * 1e6 / (last["records"] - first["records"]),
            "records_per_second": (last["records"] - first["records"]) / (last["wall"] - first["wall"]),
        }
        for first, last in pairwise(samples)
    ]
    return {
        "records": marks[-1],
        "cpu_us": spread([figure["cpu_us"] for figure in figures], 1),
        "records_per_second": spread([figure["records_per_second"] for figure in figures], 0),
        "agreement": {
            "warnings": len(reply["warnings"]),
            "same_as_pipeline": sum(body in live for body in reply["warnings"]),
        },
    }


def run(at: Round, marks: Sequence[int], policy: Path = POLICY) -> dict[str, Any]:
    """Run Faust over a round's ``household.facts`` up to the last mark.

    Returns:
        ``samples`` (records, CPU and wall seconds at each mark) and ``warnings`` (the bodies that it raised).
    """
    group = at.prefix + "faust"
    # Faust makes these itself, and its recovery hangs where a new topic has no leader yet.
    partitions = at.partitions[HOUSEHOLD_FACTS]
    compact = {"cleanup.policy": "compact"}
    topics.create(
        Connection(at.stack.kafka_bootstrap),
        [
            topics.Topic(f"{group}-households-changelog", partitions, 1, compact, "the table"),
            topics.Topic(f"{group}-__assignor-__leader", 1, 1, {}, "the leader"),
            topics.Topic(f"{at.prefix}faust.{WARNINGS}", partitions, 1, {}, "warnings"),
        ],
    )
    with tempfile.TemporaryDirectory(prefix="hearthwatch-faust-") as folder:
        order = {
            "group": group, "kafka": at.stack.kafka_bootstrap, "prefix": at.prefix,
            "partitions": partitions, "folder": folder, "marks": list(marks),
            "cores": places()[0], "policy": str(policy),
        }  # fmt: skip
        return _run(order)


def _run(order: dict[str, Any]) -> dict[str, Any]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.faust_documented"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = asyncio.run(_line(process))
        if not line:
            raise RuntimeError("Faust ended without an answer")
        reply: dict[str, Any] = json.loads(line)
        return reply
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


async def _line(process: subprocess.Popen[str]) -> str:
    """The child's answer; Faust's own words on the same stream are passed over."""
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        while line := await asyncio.to_thread(process.stdout.readline):
            at = line.find('{"samples"')  # behind what is left of Faust's spinner
            if at >= 0:
                return line[at:]
    return ""


def ratio(faust_us: dict[str, float], ours_us: dict[str, float]) -> dict[str, float]:
    """How many times more Faust costs: of the medians, and of the extremes that favour either side."""
    pairs: Sequence[tuple[str, float]] = (
        ("least", faust_us["min"] / ours_us["max"]),
        ("median", faust_us["median"] / ours_us["median"]),
        ("greatest", faust_us["max"] / ours_us["min"]),
    )
    return {name: round(value, 1) for name, value in pairs}


if __name__ == "__main__":
    main()
