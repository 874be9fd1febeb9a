"""`hearthwatch watch`: each warning once, in one line with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.cli import run
from hearthwatch.settings import load_settings
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import done_text, level_text, reason_text
from rules.policy import Policy
from rules.policy_file import read_policy
from streams import kafka_clients, topics
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.warnings_topic import Repeats, WarningRecord, follow, read_warning
from tests.publish.broker import Broker


def message(household: str, number: int, **data: Any) -> bytes:
    """A warning message; the household is the test's own."""
    entries = data.pop("because", [])
    return json.dumps(
        {
            "specversion": "1.0",
            "type": data.pop("type", "warning.raised"),
            "source": "hearthwatch/wuchang",
            "subject": f"household/{household}",
            "id": f"{household}-{number}",
            "time": "2024-05-11T00:00:00Z",
            "data": {
                "household": household,
                "level": "blue",
                "previous_level": None,
                "score": 34,
                "previous_score": 12,
                "day": "2024-05-11",
                "because": [
                    {"indicator": indicator, "points": points, "person": None}
                    for indicator, points in entries
                ],
                **data,
            },
        }
    ).encode()


@pytest.fixture(scope="module")
def policy() -> Policy:
    settings = load_settings()
    return read_policy(settings.policy, read_catalog(settings.catalog))


@pytest.fixture
def send(broker: Broker, catalog: Catalog) -> Iterator[Any]:
    """Put bodies on the topic `warnings`, all on one partition."""
    planned = topics.planned(catalog, clock="log")
    topics.create(broker.connection, [topic for topic in planned if topic.name == "warnings"])
    producer = kafka_clients.producer(broker.connection)

    def put(*bodies: bytes) -> None:
        futures = [producer.send("warnings", value=body, key=b"any", partition=0) for body in bodies]
        for future in futures:
            future.get(10)

    yield put
    producer.close()


def ours(found: Iterator[WarningRecord | None], household: str, until: int) -> list[int]:
    """Numbers of one household's warnings, up to one that must come."""
    numbers: list[int] = []
    for record in found:
        if record is not None and record.household == household:
            numbers.append(record.number)
            if record.number == until:
                return numbers
    raise AssertionError("the feed ended")


def test_a_repeated_warning_is_seen_once(broker: Broker, send: Any) -> None:
    one, two, three = (message("repeats", number) for number in (1, 2, 3))
    send(one, two, one, two, b"no warning", message("other", 1), three)
    assert ours(follow(broker.connection, start="beginning"), "repeats", 3) == [1, 2, 3]


def test_from_now_leaves_out_what_was_there(broker: Broker, send: Any) -> None:
    send(message("from-now", 1))
    feed = follow(broker.connection, start="now", ready=lambda: send(message("from-now", 2)))
    assert ours(feed, "from-now", 2) == [2]


def test_repeats_remembers_the_last_number_of_each_household() -> None:
    repeats = Repeats()
    seen = [("a", 1), ("b", 1), ("a", 1), ("a", 2), ("a", 1), ("b", 2)]
    assert [repeats.is_new(*one) for one in seen] == [True, True, False, True, False, True]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff", b'{"id":"a-x","type":"warning.raised"}'])
def test_what_is_no_warning_is_left_out(value: bytes | None) -> None:
    assert read_warning(value) is None


def test_a_household_id_may_hold_hyphens() -> None:
    record = read_warning(message("~p-1", 12))
    assert record is not None
    assert (record.household, record.number) == ("~p-1", 12)


def test_the_sentence_names_what_weighs_most_in_both_languages(policy: Policy) -> None:
    titled = [indicator for indicator in policy.indicators if indicator.because][:5]
    told = json.loads(message("h", 1, because=[(indicator.id, 9) for indicator in titled]))
    english, chinese = reason_text(told, policy, "en"), reason_text(told, policy, "zh")
    for indicator in titled[:3]:
        assert indicator.because["en"] in english
        assert indicator.because["zh"] in chinese
    assert "(and 2 more)" in english
    assert "另有2项" in chinese


def test_indicators_with_negative_points_and_repeats_are_left_out(policy: Policy) -> None:
    first, second = policy.indicators[0], policy.indicators[1]
    told = json.loads(message("h", 1, because=[(first.id, 5), (first.id, 5), (second.id, -4)]))
    assert reason_text(told, policy) == first.because["en"]


def test_an_indicator_of_another_policy_is_named_by_its_id(policy: Policy) -> None:
    assert reason_text(json.loads(message("h", 1, because=[("no-such", 5)])), policy) == "no-such"


@pytest.mark.parametrize("type", ["warning.cleared", "warning.withdrawn"])
def test_an_end_says_that_it_is_one(type: str, policy: Policy) -> None:
    told = json.loads(message("h", 2, type=type, level=None, because=[(policy.indicators[0].id, 3)]))
    assert policy.indicators[0].because["en"] not in reason_text(told, policy)
    assert level_text(None, policy) == "none"
    assert done_text(type) == type.removeprefix("warning.")


def test_every_level_has_a_style(policy: Policy) -> None:
    styles = {level_style(level.id, policy) for level in policy.levels}
    assert len(styles) == len(policy.levels)


@pytest.fixture
def _settings(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", broker.connection.bootstrap)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.usefixtures("_settings")
def test_the_command_prints_a_line_or_the_message(
    send: Any, policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    indicator = next(one for one in policy.indicators if one.because)
    body = message("command", 1, because=[(indicator.id, 9)])
    send(body, body)
    arguments = ["watch", "--from", "beginning", "--household", "command", "--until-quiet", "0.5"]
    assert run(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "command" in line
    assert "12 → 34" in line
    assert indicator.because["en"] in line
    assert run([*arguments, "--lang", "zh"]) == 0
    assert indicator.because["zh"] in capsys.readouterr().out
    assert run([*arguments, "--json"]) == 0
    assert capsys.readouterr().out.encode() == body + b"\n"
    assert run([*arguments, "--level", "red"]) == 0
    assert capsys.readouterr().out == ""


def test_a_broker_that_is_not_there_exits_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert run(["watch"]) == 3
    assert "no Kafka broker answers" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["x", "0", "nan", "inf"])
def test_until_quiet_says_what_it_takes(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", "--until-quiet", given]) == 2
    told = capsys.readouterr().err
    assert "--until-quiet" in told
    assert "expected seconds, from 0.1" in told
