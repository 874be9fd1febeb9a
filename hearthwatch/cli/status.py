"""``hearthwatch status``: where everything is, and whether it works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from agents.redis_link import RedisLink
from hearthwatch.connections import kafka_connection, redis_home
from hearthwatch.run_folder import RunFolder, WorkerState, ask_ready
from hearthwatch.screen import COLOURS, last_line_of, wide_console
from hearthwatch.settings import Settings, load_settings
from streams import kafka_clients
from streams.errors import HearthwatchError

PATIENCE_SECONDS = 3.0


@click.command(epilog="Example: hearthwatch status --json | jq '.workers[] | {name, ready, lag}'")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(as_json: bool) -> None:
    """Show Kafka, Redis and the workers that `hearthwatch up` runs on this machine.

    For each worker its name, stage, pid, readiness, lag (records that are not committed yet; ? while it is
    not known, because the worker or Kafka does not answer), restarts, and the address of its metrics; and
    what is left out, such as alerts to nobody. Exit status 0 if everything is ready, 1 otherwise.
    """
    settings = load_settings()
    found = look(settings)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print(found)
    if not found["ready"]:
        click.get_current_context().exit(1)


def look(settings: Settings) -> dict[str, Any]:
    """What ``status --json`` prints.

    ``ready``; ``kafka`` and ``redis`` with ``address``, ``answers`` and ``error``; ``supervisor`` (``pid``,
    ``since``, ``clock``, ``catalog``, ``policy``) or null; ``metrics``, the addresses; ``workers``, each with
    ``name``, ``stage``, ``pid``, ``state``, ``ready``, ``why`` not, ``lag`` in all (null: not
    known, as while Kafka does not answer), ``lag_by_topic``, ``partitions``, ``waiting``, ``restarts``,
    ``since``, ``metrics`` and ``log``; ``notes``, lines on what is left out.
    """
    state = RunFolder(settings.data_dir).running()
    known = [] if state is None else state.workers
    with ThreadPoolExecutor(max_workers=2 + len(known)) as pool:
        kafka = pool.submit(_kafka, settings)
        redis = pool.submit(_redis, settings)
        answers = list(pool.map(lambda worker: ask_ready(worker, PATIENCE_SECONDS), known))
    servers = {"kafka": kafka.result(), "redis": redis.result()}
    is_lag_known = bool(servers["kafka"]["answers"])  # a worker goes on telling what it last heard
    workers = [_worker(one, answer, is_lag_known) for one, answer in zip(known, answers, strict=True)]
    is_ready = bool(workers) and all(one["ready"] for one in workers)
    return {
        "ready": is_ready and all(server["answers"] for server in servers.values()),
        **servers,
        "supervisor": None
        if state is None
        else {
            "pid": state.pid,
            "since": state.started,
            "detached": state.detached,
            "clock": state.clock,
            "catalog": state.catalog,
            "policy": state.policy,
        },
        "metrics": [one["metrics"] for one in workers],
        "workers": workers,
        "notes": _notes(known),
    }


def _notes(workers: Sequence[WorkerState]) -> list[str]:
    """What does not happen, because a stage is left out."""
    stages = {worker.stage for worker in workers}
    if not stages:
        return []
    if "cases" not in stages:
        return ["Warnings become no cases: no worker of the stage cases runs here."]
    if "dispatch" not in stages:
        return ["Nobody is alerted: no worker of the stage dispatch runs here (HEARTHWATCH_ROUTES)."]
    return []


def _worker(worker: WorkerState, answer: dict[str, Any] | None, is_lag_known: bool) -> dict[str, Any]:
    known = asdict(worker)
    is_its = answer is not None and answer.get("pid") == worker.pid
    died = "" if worker.last_exit is None else f"it died with status {worker.last_exit}{last_line_of(worker)}"
    why = "" if is_its else f"it does not answer{' yet; ' if died else ''}{died}" if worker.pid else died
    said: dict[str, Any] = answer if answer is not None and is_its else {}
    lag = said.get("lag", {}) if is_lag_known else {}
    return {
        **{name: known[name] for name in ("name", "stage", "pid", "state")},
        "ready": bool(said.get("ready")),
        "why": said.get("why", why),
        "lag": int(sum(lag.values())) if said and is_lag_known else None,
        "lag_by_topic": {topic: int(number) for topic, number in lag.items()},
        "partitions": said.get("owned", 0),
        "waiting": said.get("waiting", 0),
        "restarts": worker.restarts,
        "since": worker.started,
        "metrics": f"{worker.url}/metrics",
        "log": worker.log,
    }


def _kafka(settings: Settings) -> dict[str, Any]:
    """Whether a broker answers; one line why not."""
    try:
        with kafka_clients.admin(kafka_connection(settings, timeout_seconds=PATIENCE_SECONDS)):
            return {"address": settings.kafka_bootstrap, "answers": True, "error": ""}
    except HearthwatchError as error:
        return {"address": settings.kafka_bootstrap, "answers": False, "error": str(error)}


def _redis(settings: Settings) -> dict[str, Any]:
    home = redis_home(settings)

    async def ping() -> None:
        link = RedisLink(home, patience_seconds=PATIENCE_SECONDS)
        try:
            await link.call("HLEN", f"{settings.redis_namespace}:none")  # PING reaches any node of a cluster
        finally:
            await link.close()

    address = ",".join(home.addresses())
    try:
        asyncio.run(ping())
    except HearthwatchError as error:
        return {"address": address, "answers": False, "error": str(error)}
    return {"address": address, "answers": True, "error": ""}


def _print(found: dict[str, Any]) -> None:
    console = wide_console()
    for name in ("kafka", "redis"):
        server = found[name]
        answer = "[green]answers[/]" if server["answers"] else f"[red]{server['error']}[/]"
        console.print(f"{name.capitalize():6} {server['address']}  {answer}")
    supervisor = found["supervisor"]
    if supervisor is None:
        console.print("No workers run from this data directory: `hearthwatch up --detach` starts them.")
        return
    console.print(
        f"Up     since {_clock(supervisor['since'])}, pid {supervisor['pid']}, clock {supervisor['clock']}\n"
        f"       started with the catalogue {supervisor['catalog']}\n"
        f"       and the policy {supervisor['policy']}; `hearthwatch policy status` tells what is activated"
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("worker", "state", "pid", "partitions", "lag", "restarts", "since", "metrics"):
        is_number = heading in ("pid", "partitions", "lag", "restarts")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for one in found["workers"]:
        state = "ready" if one["ready"] else one["state"] if one["state"] != "ready" else "not ready"
        table.add_row(
            one["name"], Text(state, style=COLOURS.get(state, "red")), str(one["pid"] or ""),
            str(one["partitions"]), "?" if one["lag"] is None else str(one["lag"]), str(one["restarts"]),
            _clock(one["since"]), one["metrics"],
        )  # fmt: skip
    console.print(table)
    for one in found["workers"]:
        if not one["ready"]:
            console.print(f"[red]{one['name']}: {one['why']}[/] (log: {one['log']})")
    for note in found["notes"]:
        console.print(note)


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():%m-%d %H:%M:%S}"
