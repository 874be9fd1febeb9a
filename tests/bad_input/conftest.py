"""One running program for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import free_ports
from tests.bad_input.running import Program, settings_file


@pytest.fixture(scope="package")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("program")
    kafka, controller, valkey, intake, person, household = free_ports(6)
    config = settings_file(
        folder,
        data_dir=str(folder / "data"),
        clock="log",
        kafka_port=kafka,
        kafka_controller_port=controller,
        valkey_port=valkey,
        intake_metrics_port=intake,
        person_metrics_port=person,
        household_metrics_port=household,
        forward_metrics_port=0,
        cases_metrics_port=0,
        life_partitions=1,
        person_partitions=2,
        household_partitions=2,
        warnings_partitions=1,
        case_partitions=1,
    )
    program = Program(folder, config)
    program.good("up", "--detach")
    try:
        yield program
    finally:
        program.run("down")


@pytest.fixture
def unstarted(tmp_path: Path) -> Program:
    """Settings that name servers which are not there."""
    return Program(
        tmp_path,
        settings_file(
            tmp_path,
            data_dir=str(tmp_path / "data"),
            kafka_bootstrap="127.0.0.1:1",
            redis_url="redis://127.0.0.1:1/0",
        ),
    )
