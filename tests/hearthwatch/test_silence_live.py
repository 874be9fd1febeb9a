"""`hearthwatch silence` on a real broker, a real ledger and a real dispatch worker, by both clocks."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from agents.deadlines import append_alert_ticks, case_tick
from casework.alerts.alert import Alert
from casework.cases.case_events import AlertRecord
from deploy.local import free_ports
from hearthwatch import cli
from hearthwatch.audit_log import latest
from hearthwatch.connections import kafka_arguments, kafka_connection, local_stack
from hearthwatch.desk import Desk
from hearthwatch.running import open_ledger, prepare
from hearthwatch.setting_sources import variable_of
from hearthwatch.settings import Settings, load_settings
from hearthwatch.silences import Silences
from hearthwatch.worker_config import catalog_and_policy
from streams import kafka_clients
from streams.records import ALERTS, CASE_COMMANDS
from streams.timestamps import HOUR, MINUTE, SECOND, parse_timestamp

ROOT = Path(__file__).parents[2]
HERE, NEXT_DOOR = "420106007003", "420106007004"
DEADLINE_SECONDS = 60.0

ROUTES = """\
routes: live
version: 1
timezone: Asia/Shanghai
link: https://console.example/cases/{{case}}
desk: desk
defaults: {{language: en, group_wait: 1s, group_interval: 1s, repeats: 0}}
channels:
  - {{id: out, kind: file, path: {path}}}
teams:
  - {{id: desk, tier: district, for: ["420106"], channels: [out]}}
"""

pytestmark = pytest.mark.timeout(300)


class District:
    """Servers, a worker of dispatch, and the command line."""

    def __init__(self, folder: Path, clock: str) -> None:
        kafka, controller, valkey = free_ports(3)
        self.out = folder / "told.jsonl"
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES.format(path=self.out), "utf-8")
        given: dict[str, Any] = {
            "data_dir": folder / "data", "clock": clock, "routes": routes, "kafka_port": kafka,
            "kafka_controller_port": controller, "valkey_port": valkey, "life_partitions": 1,
            "person_partitions": 1, "household_partitions": 1, "warnings_partitions": 1, "case_partitions": 1,
            "alerts_partitions": 2, "dispatch_metrics_port": 0,
        }  # fmt: skip
        self.settings: Settings = load_settings(**given)
        self.variables = {variable_of(name): str(value) for name, value in given.items()}
        prepare(self.settings, *catalog_and_policy(self.settings))

    @contextmanager
    def dispatch(self) -> Iterator[None]:
        worker = subprocess.Popen(
            [sys.executable, "-m", "hearthwatch", "worker", "dispatch", "--name", "d1"],
            cwd=ROOT, env={**os.environ, **self.variables}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(DEADLINE_SECONDS)

    def __call__(self, *args: str) -> tuple[int, str, str]:
        """A command: its exit status, and what it said."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in self.variables.items():
                patch.setenv(name, value)
            patch.delenv("HEARTHWATCH_STAFF", raising=False)
            status = cli.run(["silence", *args])
        return status, out.getvalue(), err.getvalue()

    def plain(self, *args: str) -> Any:
        status, out, err = self(*args, "--json")
        assert status == 0, err
        return json.loads(out)

    def say(self, *alerts: Alert, at: int | None = None) -> None:
        producer = kafka_clients.producer(kafka_connection(self.settings))
        for one in alerts:
            value = AlertRecord(one.district, one).body()
            stamp = None if at is None else at // 1000
            producer.send(ALERTS, key=one.district.encode(), value=value, timestamp_ms=stamp).get(30)
        producer.close()

    def settle(self, until: int | None = None) -> None:
        """Let all that is due happen, until nothing is under way."""

        async def ticks() -> None:
            ledger = open_ledger(self.settings)
            try:
                await append_alert_ticks(
                    int(time.time() * SECOND) if until is None else until,
                    kafka=kafka_arguments(self.settings), ledger=ledger, timeout_seconds=DEADLINE_SECONDS,
                )  # fmt: skip
            finally:
                await ledger.close()

        asyncio.run(ticks())

    def until_routes(self, text: bytes) -> None:
        """Until every partition goes by routes with a text."""

        async def hold() -> bool:
            async with Silences.open(self.settings) as found:
                return len(found.routes) == 2 and all(text in one for one in found.routes.values())

        until = time.monotonic() + DEADLINE_SECONDS
        while not asyncio.run(hold()):
            assert time.monotonic() < until, text

    def told(self) -> set[str]:
        """Households in what was sent."""
        lines = self.out.read_text("utf-8").splitlines() if self.out.exists() else []
        return {alert["case"].rpartition("-")[0] for line in lines for alert in json.loads(line)["alerts"]}

    def on_record(self) -> list[tuple[str, str, str]]:
        """What silences have on the audit log: what, how it came out, which."""
        found = [
            one.record.entry
            for one in latest(kafka_connection(self.settings), 1_000)
            if one.record is not None
        ]
        return [
            (one.what, one.result, one.query.get("silence", ""))
            for one in found
            if one.what.startswith("silence")
        ]


@contextmanager
def running(folder: Path, clock: str) -> Iterator[District]:
    found = District(folder, clock)
    try:
        with found.dispatch():
            yield found
    finally:
        local_stack(found.settings).down()


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    with running(tmp_path_factory.mktemp("wall"), "wall") as found:
        yield found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    with running(tmp_path_factory.mktemp("log"), "log") as found:
        yield found


def alert(home: str, *, level: str = "red", community: str | None = HERE) -> Alert:
    return Alert(f"{home}-1-1", f"{home}-1", home, "raised", level, community)


def test_what_is_held_is_shown_and_told_at_once_when_it_ends(wall: District) -> None:
    made = wall.plain(
        "add", "--community", HERE, "--for", "2h", "--reason", "the street visits all", "--author", "li.fang"
    )
    assert (made["state"], made["holds"], made["districts"]) == ("holds", 0, ["420106"])
    ends, starts = parse_timestamp(made["ends"]), parse_timestamp(made["starts"])
    assert ends is not None
    assert starts is not None
    assert ends - starts == 2 * HOUR
    wall.say(alert("H1"), alert("H2", level="blue"), alert("H3", community=NEXT_DOOR))
    wall.settle()
    assert wall.told() == {"H3"}
    (listed,) = wall.plain("list")
    assert listed == {**made, "holds": 2}
    status, out, _ = wall("list")
    assert status == 0
    for said in (made["id"], "li.fang", "the street visits all", f"community {HERE}", "Asia/Shanghai"):
        assert said in out
    ended = wall.plain("end", made["id"])
    assert (ended["state"], ended["let_go"]) == ("ended", 2)
    wall.settle()
    assert wall.told() == {"H1", "H2", "H3"}
    assert wall.plain("list") == []
    (past,) = wall.plain("list", "--all")
    assert (past["id"], past["state"], past["ends"]) == (made["id"], "ended", ended["ends"])
    assert [one for one in wall.on_record() if one[0] == "silence"] == [
        ("silence", "sent", made["id"]), ("silence", "done", made["id"]),
        ("silence", "sent", made["id"]), ("silence", "done", made["id"]),
    ]  # fmt: skip
    assert wall.on_record().count(("silences", "ok", "")) == 4


def test_a_silence_of_a_level_or_a_household_is_made_in_every_district(wall: District) -> None:
    first = wall.plain("add", "--level", "blue", "--level", "yellow", "--for", "1h", "--reason", "a holiday")
    second = wall.plain("add", "--household", "K2", "--for", "1h", "--reason", "they are with us")
    assert first["districts"] == second["districts"] == ["420106", "district"]
    wall.say(alert("K1", level="blue", community=None), alert("K2"), alert("K3"))
    wall.say(alert("K4", level="yellow", community=NEXT_DOOR))
    wall.settle()
    assert wall.told() & {"K1", "K2", "K3", "K4"} == {"K3"}
    assert {one["id"]: one["holds"] for one in wall.plain("list")} == {first["id"]: 2, second["id"]: 1}
    wall.plain("end", first["id"])
    wall.plain("end", second["id"])
    wall.settle()
    assert {"K1", "K2", "K3", "K4"} <= wall.told()


def test_the_same_id_gives_another_end_and_cannot_mean_something_else(wall: District) -> None:
    made = wall.plain("add", "--community", HERE, "--for", "1h", "--reason", "a visit", "--id", "visit-1")
    longer = wall.plain("add", "--community", HERE, "--for", "3h", "--reason", "a visit", "--id", "visit-1")
    assert longer["ends"] > made["ends"]
    assert [one["ends"] for one in wall.plain("list")] == [longer["ends"]]
    status, _, err = wall("add", "--level", "red", "--for", "1h", "--reason", "other", "--id", "visit-1")
    assert status == 2
    assert f"`visit-1` stands for community {HERE}" in err
    later = "2099-01-01T00:00:00Z"
    status, _, err = wall("add", "--community", HERE, "--until", later, "--reason", "for ever")
    assert (status, err) == (2, "a silence lasts at most 90 days\n")
    wall.plain("end", "visit-1")
    status, _, err = wall("end", "visit-1")
    assert (status, err) == (2, "no silence `visit-1` stands: none stands at present\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--for", "1h"), "it would hold everything"),
        (("--level", "rde", "--for", "1h"), "the policy has no level `rde`: did you mean `red`?"),
        (("--community", "4201", "--for", "1h"), "6, 9 or 12 digits"),
        (("--level", "red", "--for", "soon"), "`soon` is no span: expected one such as 30m, 2h or 3d"),
        (("--level", "red", "--for", "91d"), "at most 90d"),
        (("--level", "red"), "one of --for and --until"),
        (("--level", "red", "--until", "2020-01-01", "--starts", "2019-12-31"), "is over already"),
        (("--level", "red", "--for", "1h", "--at", "2026-01-01"), "--at is for `clock: log`"),
        (("--level", "red", "--for", "1h", "--id", "a b"), "--id: expected up to 64 letters"),
    ],
)
def test_what_may_not_stand_is_refused_and_nothing_is_sent(
    wall: District, args: tuple[str, ...], said: str
) -> None:
    before = wall.on_record()
    status, _, err = wall("add", "--reason", "why not", *args)
    assert status == 2
    assert said in err
    assert wall.on_record() == before


def test_in_simulated_time_the_log_says_what_time_it_is(log: District) -> None:
    status, _, err = log("add", "--community", HERE, "--for", "2h", "--reason", "early")
    assert (status, err) == (2, "nobody has been alerted yet, so there is no newest time: give --at\n")
    start = parse_timestamp("2026-03-02T10:00:00+08:00")
    assert start is not None
    made = log.plain(
        "add", "--community", HERE, "--for", "2h", "--reason", "a visit", "--at", "2026-03-02T10:00"
    )
    assert (made["starts"], made["ends"]) == ("2026-03-02T02:00:00Z", "2026-03-02T04:00:00Z")
    log.say(alert("L1"), alert("L2"), at=start + MINUTE)
    log.settle(start + HOUR)
    assert log.told() == set()
    # What ends it says what time it is: what it held is told at that instant, and not at the next tick.
    ended = log.plain("end", made["id"], "--at", "2026-03-02T11:30")
    assert (ended["ends"], ended["let_go"]) == ("2026-03-02T03:30:00Z", 2)
    log.settle(start + HOUR)
    assert log.told() == {"L1", "L2"}
    # Without a word it is as late as the newest district has it.
    again = log.plain("add", "--level", "blue", "--for", "1h", "--reason", "a visit")
    assert (again["starts"], again["ends"]) == ("2026-03-02T03:30:00Z", "2026-03-02T04:30:00Z")


def test_in_simulated_time_the_log_of_cases_says_what_is_late(log: District) -> None:
    start = parse_timestamp("2026-03-02T10:00:00+08:00")
    assert start is not None

    async def now() -> int:
        async with Desk.open(log.settings) as desk:
            return await desk.now()

    assert asyncio.run(now()) > start  # nothing stands there yet: today
    producer = kafka_clients.producer(kafka_connection(log.settings))
    for at in (start, start + HOUR, start + MINUTE):
        producer.send(CASE_COMMANDS, key=b"N1", value=case_tick(at), timestamp_ms=at // 1_000).get(30)
        assert asyncio.run(now()) == at
    producer.close()


def test_without_dispatch_it_stands_in_the_log_and_says_so(tmp_path: Path) -> None:
    found = District(tmp_path, "wall")
    try:
        add = ("add", "--community", HERE, "--for", "2h", "--reason", "a visit", "--id", "v")
        status, _, err = found(*add, "--timeout", "1")
        assert status == 3
        assert "the silence v stands in the log, and dispatch has not taken it within 1 s" in err
        assert "Is `dispatch` running?" in err
        assert found.on_record() == [("silence", "sent", "v"), ("silence", "unanswered", "v")]
        found.say(alert("W1"))
        with found.dispatch():
            found.plain(*add, "--timeout", "60")  # once more does no harm, and waits for it
            found.settle()
            assert found.told() == set()
            assert [(one["id"], one["holds"]) for one in found.plain("list")] == [("v", 1)]
            found.until_routes(b"timezone: Asia/Shanghai")
        # Those of before are kept beside what holds now, and say nothing any more.
        routes = found.settings.routes
        assert routes is not None
        routes.write_text(routes.read_text("utf-8").replace("Asia/Shanghai", "Asia/Urumqi"), "utf-8")
        with found.dispatch():
            found.until_routes(b"timezone: Asia/Urumqi")
        routes.write_text(routes.read_text("utf-8").replace("Asia/Urumqi", "Asia/Tokyo"), "utf-8")
        status, out, err = found("list")
        assert (status, err) == (0, "")
        assert "Asia/Urumqi" in out
    finally:
        local_stack(found.settings).down()
