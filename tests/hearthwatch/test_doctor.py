"""``hearthwatch doctor`` names what is wrong, link by link, with the fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.channels.secrets import missing
from casework.alerts.routes_file import read_routes
from deploy.local import Stack, free_ports
from hearthwatch import checks, cli
from hearthwatch.checks import Finding, check_casework, check_disk, check_settings, check_stack, skew_finding
from hearthwatch.redis_checks import judge
from hearthwatch.settings import load_settings
from rules.policy_file import read_policy
from streams import topics
from streams.catalog_file import read_catalog
from streams.kafka_clients import Connection
from tests.docs.pages import ROOT

CATALOG = Path(__file__).parents[2] / "streams" / "catalogs" / "wuchang.yaml"


@pytest.fixture
def on_stack(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of another Kafka and Redis than the embedded ones of this data folder: the shared stack's."""
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", stack.kafka_bootstrap)
    monkeypatch.setenv("HEARTHWATCH_REDIS_URL", stack.redis_url)
    monkeypatch.setattr(checks, "_TIMEOUT_SECONDS", 20.0)
    return tmp_path


@pytest.fixture
def with_topics(on_stack: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The shared stack has all topics, whichever test comes first."""
    assert cli.run(["topics", "create"]) == 0
    capsys.readouterr()
    return on_stack


def diagnose(capsys: pytest.CaptureFixture[str], status: int) -> list[Finding]:
    assert cli.run(["doctor", "--json"]) == status
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is (status == 0)
    return [Finding(**one) for one in told["checks"]]


def only(findings: list[Finding], check: str) -> Finding:
    (found,) = [one for one in findings if one.check == check]
    return found


def small_catalog(folder: Path) -> Path:
    """A catalogue with a department of its own, so that this test's topics are nobody else's."""
    path = folder / "catalog.yaml"
    path.write_text(
        "catalog: doctor\nversion: 1\nsource_root: /doctor\n"
        "departments: [{id: doctors-own, title: {en: Doctor}}]\n"
        "events:\n  - {type: a.b, departments: [doctors-own], subject: person, title: {en: A}, "
        "data: {n: {kind: integer}}}\n"
    )
    return path


def test_a_sound_chain_is_all_ok_once_topics_are_there(
    with_topics: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_ROUTES", str(ROOT / "examples" / "routes" / "demo.yaml"))
    findings = diagnose(capsys, 0)
    assert [one.check for one in findings if one.status != "ok" and one.check != "disk"] == []
    assert [one.check for one in findings] == [
        "settings", "disk", "catalog", "policy", "casework", "routes", "kafka", "topics", "clock", "redis",
        "clock",
    ]  # fmt: skip
    assert "noeviction" not in only(findings, "redis").message
    assert only(findings, "kafka").message.startswith("1 broker at ")


def test_missing_topics_are_named(
    on_stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_CATALOG", str(small_catalog(on_stack)))
    missing = next(one for one in diagnose(capsys, 1) if one.check == "topics")
    assert missing.status == "fail"
    assert "life.doctors-own" in missing.message
    assert missing.fix == "`hearthwatch topics create` makes them"


def test_a_topic_with_other_settings_is_named_with_both_values(
    on_stack: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small_catalog(on_stack)
    path.write_text(path.read_text().replace("doctors-own", "doctors-other"))
    monkeypatch.setenv("HEARTHWATCH_CATALOG", str(path))
    topics.create(
        Connection(stack.kafka_bootstrap, timeout_seconds=20),
        [topics.Topic("life.doctors-other", 3, 1, {"message.timestamp.type": "CreateTime"}, "")],
    )
    told = [one.message for one in diagnose(capsys, 1) if one.message.startswith("life.doctors-other: ")]
    assert len(told) == 1
    assert "partitions is 3, not 4" in told[0]
    assert "message.timestamp.type is CreateTime, not LogAppendTime" in told[0]


def test_more_copies_than_brokers(
    on_stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_REPLICATION_FACTOR", "3")
    kafka = next(one for one in diagnose(capsys, 1) if one.check == "kafka")
    assert kafka.fix == "set HEARTHWATCH_REPLICATION_FACTOR to 1 at most, or add brokers"


def test_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without servers: each is named once with what starts it, and the rest is still checked."""
    kafka, controller, valkey = free_ports(3)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HEARTHWATCH_KAFKA_PORT", str(kafka))
    monkeypatch.setenv("HEARTHWATCH_KAFKA_CONTROLLER_PORT", str(controller))
    monkeypatch.setenv("HEARTHWATCH_VALKEY_PORT", str(valkey))
    monkeypatch.setattr(checks, "_TIMEOUT_SECONDS", 0.5)
    findings = diagnose(capsys, 1)
    failed = [one for one in findings if one.status == "fail"]
    assert [one.check for one in failed] == ["stack", "stack"]
    assert {one.fix for one in failed} == {checks.START}
    assert not [one for one in findings if one.check in ("kafka", "redis")]
    assert only(findings, "policy").status == "ok"
    assert all("\n" not in one.message for one in failed)


def test_faults_of_catalogue_and_policy_are_told_with_their_places(
    on_stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = on_stack / "policy.yaml"
    policy.write_text("policy: x\nversion: 1\n")
    monkeypatch.setenv("HEARTHWATCH_POLICY", str(policy))
    fault = only(diagnose(capsys, 1), "policy")
    assert fault.status == "fail"
    assert fault.message.startswith(f"{policy}:1:1: ")
    monkeypatch.setenv("HEARTHWATCH_CATALOG", str(on_stack / "gone.yaml"))
    findings = diagnose(capsys, 1)
    assert only(findings, "catalog").status == "fail"
    assert "not checked without a catalogue" in only(findings, "policy").message


def test_faults_of_the_files_of_casework_are_told(
    with_topics: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (quiet,) = [one for one in diagnose(capsys, 0) if one.check == "routes"]
    assert (quiet.status, quiet.fix) == ("warn", "name them in HEARTHWATCH_ROUTES")
    book = with_topics / "book.yaml"
    book.write_text("casework: x\n")
    monkeypatch.setenv("HEARTHWATCH_CASEBOOK", str(book))
    fault = only(diagnose(capsys, 1), "casework")
    assert fault.status == "fail"
    assert fault.message.startswith(f"{book}:1:1: ")
    monkeypatch.delenv("HEARTHWATCH_CASEBOOK")
    monkeypatch.setenv("HEARTHWATCH_ROUTES", str(book))
    findings = diagnose(capsys, 1)
    assert (only(findings, "casework").status, only(findings, "routes").status) == ("ok", "fail")


def test_addresses_that_are_not_set_are_a_warning_that_shows_none(
    on_stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(routes=ROOT / "examples" / "routes" / "wuchang.yaml")
    catalog = read_catalog(settings.catalog)
    routes = read_routes(settings.routes, read_policy(settings.policy, catalog))
    (found,) = [one for one in check_casework(settings, catalog) if one.status != "ok"]
    *others, last = missing(routes, {})
    first, *_, more = found.message.splitlines()[1:]
    assert len(found.message.splitlines()) == 5
    assert first == others[0]
    assert more.startswith(f"and {len(others) - 2} more: `hearthwatch routes check ")
    for told in others:
        monkeypatch.setenv(told.split()[0], "an address")
    (found,) = [one for one in check_casework(settings, catalog) if one.status != "ok"]
    assert (found.check, found.status) == ("routes", "warn")
    assert found.message.splitlines()[1:] == [last]
    assert "an address" not in found.message + found.fix
    monkeypatch.setenv(last.split()[0], "an address")
    assert [one.status for one in check_casework(settings, catalog)] == ["ok", "ok"]


def test_a_shipped_book_that_fits_no_policy_of_ones_own_is_a_warning() -> None:
    case = ROOT / "tests" / "conformance" / "cases" / "stories" / "e-unregistered"
    settings = load_settings(policy=case / "policy.yaml", catalog=case / "catalog.yaml")
    (found,) = check_casework(settings, read_catalog(settings.catalog))
    assert found.status == "warn"
    assert "HEARTHWATCH_CASEBOOK" in found.fix


def test_settings_that_cannot_be_used_are_findings_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_CLOCK", "sun")
    monkeypatch.setenv("HEARTHWATCH_KAFKA_PORT", "x")
    findings = diagnose(capsys, 1)
    assert [one.status for one in findings] == ["fail", "fail"]
    assert cli.run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "fail  settings  HEARTHWATCH_CLOCK: got 'sun'" in out
    assert out.endswith("2 checks: 2 failed, 0 with a warning\n")


def test_words_for_people_have_the_fix_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "examine", lambda settings: iter([Finding("kafka", "fail", "a\nb", "do c")]))
    assert cli.run(["doctor"]) == 1
    assert capsys.readouterr().out == (
        "fail  kafka     a\n                b\n                -> do c\n"
        "\n1 check: 1 failed, 0 with a warning\n"
    )


def test_misspelt_variables_and_open_secrets_are_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    monkeypatch.setenv("HEARTHWATCH_REDIS_PASSWORD_FILE", str(secret))
    monkeypatch.setenv("HEARTHWATCH_KAKFA_PORT", "1")
    told = [(one.status, one.message) for one in check_settings(load_settings())][1:]
    assert told == [
        ("warn", "`HEARTHWATCH_KAKFA_PORT` is no setting; did you mean `HEARTHWATCH_KAFKA_PORT`?"),
        ("warn", f"{secret} can be read by every user"),
    ]
    secret.chmod(0o600)
    monkeypatch.delenv("HEARTHWATCH_KAKFA_PORT")
    assert len(list(check_settings(load_settings()))) == 1


@pytest.mark.parametrize(("free_mib", "status"), [(10, "fail"), (500, "warn"), (50_000, "ok")])
def test_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, status: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": free_mib * 2**20}))
    (finding,) = check_disk(load_settings(data_dir=tmp_path / "not" / "made" / "yet"))
    assert finding.status == status
    assert bool(finding.fix) is (status != "ok")


def test_workers_alone_need_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container whose file system is read-only `doctor` is content; with embedded servers it is not."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    (finding,) = check_disk(load_settings(data_dir=tmp_path))
    assert (finding.status, finding.message) == ("fail", f"{tmp_path} cannot be written")
    (finding,) = check_disk(
        load_settings(data_dir=tmp_path, kafka_bootstrap="kafka-1:9092", redis_url="redis://redis:6379/0")
    )
    assert (finding.status, finding.message) == ("warn", f"{tmp_path} cannot be written")


def test_jars_that_are_not_there_are_a_warning(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = load_settings(data_dir=tmp_path, jars_dir=tmp_path / "none", kafka_port=port)
    told = [one.message for one in check_stack(settings)]
    assert f"46 of Kafka's 46 jars are not in {tmp_path}/none" in told


@pytest.mark.parametrize(
    ("theirs", "clock", "status", "message"),
    [
        (1000.5, "wall", "ok", "Kafka and this machine agree within 0.300 s"),
        (1000.05, "wall", "ok", "Kafka and this machine agree within 0.200 s"),
        (996.0, "wall", "warn", "this machine's clock is 4.0 s ahead of that of Kafka"),
        (1060.2, "wall", "fail", "this machine's clock is 60.0 s behind that of Kafka"),
        (900.0, "wall", "fail", "this machine's clock is 100.0 s ahead of that of Kafka"),
        (900.0, "log", "warn", "this machine's clock is 100.0 s ahead of that of Kafka"),
    ],
)
def test_clocks_are_compared_with_the_time_of_the_question_taken_off(
    theirs: float, clock: str, status: str, message: str
) -> None:
    finding = skew_finding(load_settings(clock=clock), "Kafka", theirs, before=1000.0, after=1000.2)
    assert finding.status == status
    assert finding.message == message


GOOD: dict[str, Any] = {
    "redis_version": "7.2.4",
    "redis_mode": "standalone",
    "role": "master",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "used_memory": 1,
    "maxmemory": 0,
}


@pytest.mark.parametrize(
    ("changed", "status", "words", "fix"),
    [
        ({}, "ok", "Redis 7.2.4 at h:1 keeps what it is given", ""),
        ({"server_name": "valkey", "valkey_version": "9.1.2"}, "ok", "Valkey 9.1.2 at h:1", ""),
        ({"maxmemory_policy": "allkeys-lru"}, "fail", "drops keys", "noeviction"),
        ({"aof_enabled": 0}, "warn", "no append-only file", "appendonly"),
        ({"aof_last_write_status": "err"}, "fail", "could not write", "its disk"),
        ({"role": "slave"}, "fail", "is a replica", "name its master"),
        ({"redis_mode": "cluster"}, "fail", "Redis Cluster", "HEARTHWATCH_REDIS_CLUSTER=true"),
        ({"used_memory": 90, "maxmemory": 100}, "warn", "90 % of its maxmemory", "raise"),
    ],
)
def test_a_redis_that_could_lose_the_ledger_is_named(
    changed: dict[str, Any], status: str, words: str, fix: str
) -> None:
    (finding,) = judge(load_settings(), "h:1", {**GOOD, **changed})
    assert finding.status == status
    assert words in finding.message
    assert fix in finding.fix
