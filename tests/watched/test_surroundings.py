"""What a worker sees of Redis's memory and of the servers' clocks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from agents.metrics import StageMetrics
from agents.redis_link import RedisHome
from agents.surroundings import FORGET_SECONDS, Surroundings, apart
from deploy.local import Stack
from tests.ledger.homes import started
from tests.watched.conftest import installed
from tests.watched.scrape import values

instants = st.floats(1e9, 2e9)
spans = st.floats(0, 100)


@given(instants, spans, spans, st.floats(-1e6, 1e6))
def test_clocks_differ_by_at_least_what_is_told_and_never_more(
    asked: float, there: float, back: float, ahead: float
) -> None:
    """Whatever the network takes, a right clock shows no difference, and a wrong one never too much."""
    told = apart(asked + ahead, asked + there, asked + there + back + ahead)
    slack = 1e-5
    assert abs(told) <= abs(ahead) + slack
    assert told == 0 or (told > 0) == (ahead > 0)
    if abs(ahead) > there + back + slack:
        assert told != 0


async def test_a_stamp_in_whole_milliseconds_is_no_difference() -> None:
    metrics = StageMetrics("person")
    around = Surroundings(RedisHome(), metrics)
    around.broker_stamped(100.0007, 100.000, 100.0009)
    (difference,) = values(metrics, "hearthwatch_clock_difference_seconds").values()
    assert difference == 0
    around.broker_stamped(160.5, 100.0, 160.6)
    assert values(metrics, "hearthwatch_clock_difference_seconds") == {
        (("server", "kafka"), ("stage", "person")): 60.499
    }


async def test_redis_shows_its_memory_its_bound_and_its_clock(stack: Stack) -> None:
    metrics = StageMetrics("household")
    ahead = 0.0
    around = Surroundings(RedisHome(stack.redis_url), metrics, now=lambda: time.time() + ahead)
    used, bound, clock = (
        f"hearthwatch_{name}"
        for name in ("redis_memory_used_bytes", "redis_memory_bound_bytes", "clock_difference_seconds")
    )
    assert values(metrics, used) == values(metrics, clock) == {}
    await around.look()
    address = RedisHome(stack.redis_url).addresses()[0]
    labels = (("server", address), ("stage", "household"))
    assert values(metrics, used)[labels] > 100_000
    assert values(metrics, bound)[labels] > 2**30, "without a bound it is the machine's memory"
    assert values(metrics, clock) == {(("server", "redis"), ("stage", "household")): 0}
    with redis.Redis.from_url(stack.redis_url) as client:
        client.config_set("maxmemory", 512 * 2**20)
        ahead = 3_600.0
        await around.look()
        client.config_set("maxmemory", 0)
    assert values(metrics, bound) == {labels: 512 * 2**20}
    (difference,) = values(metrics, clock).values()
    assert 3_590 < difference <= 3_600
    ahead += FORGET_SECONDS + 1
    assert values(metrics, used) == {}, "an old figure would look like a good one"
    await around._disconnect()


@pytest.mark.soak
async def test_of_a_cluster_each_master_shows_its_memory(tmp_path: Path) -> None:
    installed("redis-server", "memory and clocks of Redis Cluster", "redis-server")
    metrics = StageMetrics("household")
    with started("redis-cluster", tmp_path) as home:
        around = Surroundings(home.address, metrics)
        await around.look()
        used = values(metrics, "hearthwatch_redis_memory_used_bytes")
        bound = values(metrics, "hearthwatch_redis_memory_bound_bytes")
        assert len(used) == 3
        assert set(used) == set(bound)
        assert values(metrics, "hearthwatch_clock_difference_seconds") == {
            (("server", "redis"), ("stage", "household")): 0
        }
        await around._disconnect()


async def test_a_redis_that_is_away_is_no_fault_of_the_worker() -> None:
    metrics = StageMetrics("household")
    around = Surroundings(RedisHome("redis://127.0.0.1:1/0"), metrics)
    await around.look()
    assert values(metrics, "hearthwatch_redis_memory_used_bytes") == {}
