"""The checks of ``hearthwatch doctor`` on Redis, Valkey or each master of a Redis Cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import redis.exceptions

from agents.redis_errors import cause_of
from agents.redis_link import RedisHome, connect
from hearthwatch.checks import START, Finding, skew_finding
from hearthwatch.connections import redis_home, uses_local_redis
from hearthwatch.settings import Settings
from streams.errors import InputError

NEARLY_FULL = 0.8


def check_redis(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, loses nothing and shares our clock."""
    try:
        home = redis_home(settings)
    except InputError as error:
        yield Finding("redis", "fail", str(error), "correct the HEARTHWATCH_REDIS_* settings")
        return
    try:
        facts = asyncio.run(_facts(home))
    except InputError as error:
        yield Finding("redis", "fail", str(error), "correct HEARTHWATCH_REDIS_URL")
        return
    except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        where = ", ".join(home.addresses())
        yield Finding(
            "redis",
            "fail",
            f"{where} refuses us: {error}",
            "set HEARTHWATCH_REDIS_USERNAME and HEARTHWATCH_REDIS_PASSWORD",
        )
        return
    except (redis.exceptions.RedisError, OSError) as error:
        where = ", ".join(home.addresses())
        fix = "see that it runs, and the HEARTHWATCH_REDIS_* settings"
        if uses_local_redis(settings):
            fix = START
        yield Finding("redis", "fail", f"{where} does not answer ({cause_of(error)})", fix)
        return
    for name, info, theirs, before, after in facts:
        yield from judge(settings, name, info)
        yield skew_finding(settings, f"Redis {name}", theirs, before, after)


def judge(settings: Settings, name: str, info: dict[str, Any]) -> Iterator[Finding]:
    """Judge one server by its INFO."""
    server = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    fine = True
    if str(info.get("redis_mode", info.get("server_mode"))) == "cluster" and not settings.redis_cluster:
        fine = False
        message = f"{name} is a node of a Redis Cluster"
        yield Finding("redis", "fail", message, "set HEARTHWATCH_REDIS_CLUSTER=true")
    if info.get("role") != "master":
        fine = False
        message = f"{name} is a replica ({info.get('role')})"
        yield Finding("redis", "fail", message, "name its master in HEARTHWATCH_REDIS_URL")
    if info.get("maxmemory_policy") != "noeviction":
        fine = False
        message = (
            f"{name} drops keys when its memory is full (maxmemory-policy {info.get('maxmemory_policy')})"
        )
        yield Finding("redis", "fail", message, "set its maxmemory-policy to noeviction")
    if not info.get("aof_enabled"):
        fine = False
        message = f"{name} writes no append-only file: a restart loses up to all of the ledger"
        yield Finding(
            "redis",
            "warn",
            message,
            "set its appendonly to yes; without it each restart needs `hearthwatch rebuild`",
        )
    elif info.get("aof_last_write_status", "ok") != "ok":
        fine = False
        message = f"{name} could not write its append-only file"
        yield Finding("redis", "fail", message, "see its log and its disk")
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if limit and used > NEARLY_FULL * limit:
        fine = False
        message = f"{name} uses {100 * used // limit} % of its maxmemory"
        yield Finding("redis", "warn", message, "raise its maxmemory: when it is full the pipeline waits")
    if fine:
        yield Finding("redis", "ok", f"{server} {version} at {name} keeps what it is given")


async def _facts(home: RedisHome) -> list[tuple[str, dict[str, Any], float, float, float]]:
    """Of each server that holds keys: name, INFO, its clock and ours before and after."""
    client = connect(home)
    out = []
    try:
        if home.cluster:
            await client.initialize()
            nodes = [(f"{node.host}:{node.port}", node) for node in client.get_primaries()]
        else:
            nodes = [(", ".join(home.addresses()), None)]
        for name, node in nodes:
            to = {} if node is None else {"target_nodes": node}
            info = _single(await client.execute_command("INFO", **to), name)
            before = time.time()
            seconds, micros = _single(await client.execute_command("TIME", **to), name)
            out.append((name, info, seconds + micros / 1e6, before, time.time()))
    finally:
        await client.aclose()
    return out


def _single(answer: Any, name: str) -> Any:
    """A cluster client answers by node name even when one node was asked."""
    return answer[name] if isinstance(answer, dict) and name in answer else answer
