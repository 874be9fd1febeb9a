"""The whole program on another Kafka and another Redis, by settings alone: the backtest's scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import Stack, free_ports
from tests.deploy.elsewhere import kafka_variables, redis_variables, secured_kafka
from tests.ledger.homes import HOMES, certificates, redis_server, started

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "examples" / "tutorial.jsonl"
HOUSEHOLD = "H-lin"
LAST_DAY = "2025-06-05"


class Program:
    """The command line, with the settings of one place."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        metrics = ("INTAKE", "PERSON", "HOUSEHOLD")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_")},
            "HEARTHWATCH_DATA_DIR": str(folder / "data"),
            "HEARTHWATCH_CLOCK": "log",
            **{f"HEARTHWATCH_{one}_METRICS_PORT": "0" for one in metrics},
            "HEARTHWATCH_LIFE_PARTITIONS": "1",
            "HEARTHWATCH_PERSON_PARTITIONS": "2",
            "HEARTHWATCH_HOUSEHOLD_PARTITIONS": "2",
            "HEARTHWATCH_WARNINGS_PARTITIONS": "1",
            **variables,
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hearthwatch", *arguments],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(params=["TLS and passwords", "a cluster"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    """Kafka with TLS and SCRAM and Redis with TLS and a password; or plain Kafka and a Redis Cluster.

    The cluster is of Valkey's servers, so that it can be tested everywhere.
    """
    with ExitStack() as opened:
        if request.param == "a cluster":
            kafka, controller, valkey = free_ports(3)
            stack = Stack(tmp_path / "kafka", kafka, valkey, kafka_controller_port=controller)
            stack.up()
            opened.callback(stack.down)
            variables = {"HEARTHWATCH_KAFKA_BOOTSTRAP": stack.kafka_bootstrap}
            home = opened.enter_context(started("valkey-cluster", tmp_path / "home"))
        else:
            if HOMES["redis-tls"][0] and redis_server() is None:
                pytest.skip("NOT TESTED: the pipeline on Redis with TLS: redis-server is not installed")
            files = certificates(tmp_path / "certificates")
            address = opened.enter_context(secured_kafka(tmp_path / "kafka", files))
            variables = kafka_variables(address, files, tmp_path)
            home = opened.enter_context(started("redis-tls", tmp_path / "home"))
        program = Program(tmp_path, variables | redis_variables(home, tmp_path))
        yield program
        program("down")


@pytest.mark.timeout(400)
def test_the_pipeline_gives_the_backtests_score(program: Program) -> None:
    program("up", "--detach")
    program("publish", str(EVENTS))
    program("tick", "--until", LAST_DAY)
    live = json.loads(program("household", "show", HOUSEHOLD, "--json"))

    scores = program.folder / "scores.jsonl"
    files = [
        ("--catalog", str(ROOT / "streams" / "catalogs" / "wuchang.yaml")),
        ("--policy", str(ROOT / "rules" / "policies" / "wuchang.yaml")),
        ("--out", str(program.folder / "warnings.jsonl")),
        ("--scores", str(scores)),
    ]
    options = [word for pair in files for word in pair]
    program("backtest", str(EVENTS), *options, "--until", LAST_DAY)
    expected = next(
        one for one in map(json.loads, scores.read_text().splitlines()) if one["household"] == HOUSEHOLD
    )
    assert expected["score"] > 0
    assert live["score"] == expected["score"]
    # Not the level: all events were sent in one second, and on the way the departments have no common order.
    dimensions = {one["dimension"]: one["points"] for one in live["dimensions"]}
    assert dimensions == expected["dimensions"]
