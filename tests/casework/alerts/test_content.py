"""What a message says, and what it cannot say."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pytest

from agents.channels.alertmanager import alerts_of
from agents.channels.webhook import body_of
from casework.alerts.alert import Alert, Resolve, decode_alert
from casework.alerts.content import ALLOWED, data_of, sentence, text_of
from casework.alerts.decide import decide
from casework.alerts.intents import Send
from casework.alerts.state import State
from streams.errors import InputError
from tests.casework.alerts.a_district import HERE, NOWHERE, alert, at, routes

PERSONAL = ("张三丰", "Zhang Sanfeng", "420106199001011234", "13807112345", "nephritis", "肾炎")
LATER = at("2026-03-02 11:00")


def test_a_message_in_english() -> None:
    one = alert("H1-1", level="red", dimensions=("economy", "health"), task="visit", do_by=LATER)
    text = text_of([one], "alerts", routes(), "en")
    assert text.title == "[Red] New warning · Huanghelou Street 420106007003"
    assert text.body == (
        "[Red] New warning · Huanghelou Street 420106007003\n"
        "Because of: Economic status, Health status.\n"
        "To do: visit the household by 2026-03-02 11:00.\n"
        "https://console.example/cases/H1"
    )


def test_a_message_in_chinese() -> None:
    one = alert("H1-1", "upgraded", level="red", dimensions=("economy", "health"), do_by=LATER)
    text = text_of([one], "alerts", routes(), "zh")
    assert text.body == (
        "[红色] 预警升级 · 黄鹤楼街道 420106007003\n"
        "原因：经济状况、健康状况。\n"
        "请于2026-03-02 11:00前签收。\n"
        "https://console.example/cases/H1"
    )


def test_a_message_about_one_late_case_says_so_also_where_several_tasks_are_late() -> None:
    late = [alert(f"H1-{number}", "escalated", task=task) for number, task in enumerate(("visit", "help"), 1)]
    text = text_of(late, "alerts", routes(), "en")
    assert text.title == "[Blue] Overdue · Huanghelou Street 420106007003"
    assert "visit the household" in text.body
    assert "arrange help" in text.body
    assert text_of([*late, alert("H2-1")], "alerts", routes(), "en").title == "3 alerts (Blue 3)"


def test_who_has_lost_a_household_has_nothing_to_do() -> None:
    text = text_of([alert("H1-1", "moved-out")], "alerts", routes(), "en")
    assert "nothing is to be done" in text.body
    assert "To do" not in text.body


def test_a_digest_lists_the_gravest_and_counts_the_rest() -> None:
    alerts = [alert(f"H{number}-1", level="red" if number > 990 else "blue") for number in range(1_000)]
    alerts.append(alert("X-1", community=NOWHERE))
    text = text_of(alerts, "digest", routes(), "en")
    assert text.title == "Digest: 1001 alerts (Red 9, Blue 992)"
    assert "and 981 more: Blue 981" in text.body
    assert "Huanghelou Street 420106007003: 980" in text.body
    assert "420106001001: 1" in text.body
    assert text.body.index("/cases/H991") < text.body.index("/cases/H0")
    assert data_of("m", alerts, "digest", routes().teams["desk"], routes())["count"] == 1_001


def test_without_known_dimensions_the_sentence_sends_to_the_case() -> None:
    assert sentence(("illness-x",), routes(), "en") == "See the case for the reasons."


def test_a_case_id_cannot_change_the_link() -> None:
    text = text_of([msgspec.structs.replace(alert("H1-1"), case="../x?y=1&z#")], "alerts", routes(), "en")
    assert text.body.endswith("https://console.example/cases/..%2Fx%3Fy%3D1%26z%23")


def record(**more: object) -> bytes:
    fields = {
        "id": "H1-1",
        "case": "H1",
        "household": "H1",
        "kind": "raised",
        "level": "red",
        "community": HERE,
    }
    return json.dumps({**fields, **more}).encode()


@pytest.mark.parametrize("value", PERSONAL)
def test_no_personal_value_gets_into_a_message_by_any_field(value: str) -> None:
    """A record that is full of what must not be told, in known fields and in others."""
    raw = record(
        level=value, dimensions=[value, "health"], because={"en": value, "zh": value}, name=value,
        person=value, what=value, title=value, diagnosis=value, facts=[{"subject": value}],
    )  # fmt: skip
    read = decode_alert(raw)
    assert isinstance(read, Alert)
    # Codes are checked again where words are made: nothing rests on who wrote the record.
    read = msgspec.structs.replace(read, kind=value, task=value, tier="district", previous_community=value)  # type: ignore[arg-type]
    read = msgspec.structs.replace(read, community=value)
    for kind in ("alerts", "digest", "repeat"):
        for language in ("en", "zh"):
            text = text_of([read] * 25, kind, routes(), language)  # type: ignore[arg-type]
            assert value not in text.title + text.body
    data = data_of("m", [read], "alerts", routes().teams["desk"], routes())
    assert value not in json.dumps(data, ensure_ascii=False)


@pytest.mark.parametrize("value", PERSONAL)
def test_no_personal_value_leaves_by_a_channel(value: str) -> None:
    read = decode_alert(record(level=value, dimensions=[value], because={"en": value}, name=value))
    _, intents = decide(State(), read, LATER, routes())
    send = next(one for one in intents if isinstance(one, Send))
    bodies = body_of(send), json.dumps(alerts_of(send, dt.datetime.now(dt.UTC)), ensure_ascii=False).encode()
    assert not [body for body in bodies if value.encode() in body]


def test_the_data_says_what_is_allowed_and_nothing_else() -> None:
    (one,) = data_of("m", [alert("H1-1")], "alerts", routes().teams["desk"], routes())["alerts"]
    assert set(one) == {"id", "case", *ALLOWED}


def test_a_record_to_resolve() -> None:
    assert decode_alert(b'{"kind":"resolve","case":"H1"}') == Resolve("H1")
    some = decode_alert(b'{"kind":"resolve","case":"H1","answers":["acknowledge","visit"]}')
    assert some == Resolve("H1", ("acknowledge", "visit"))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b'{"kind":"resolve","case":""}', "must name its case"),
        (record(kind="lowered"), "kind must be resolve or one of"),
        (record(level=""), "must have an id, a household and a level"),
        (record(community=PERSONAL[2]), "must have 12 digits"),
        (record(do_by="soon"), "must be a JSON object"),
        (record(task=PERSONAL[0]), "must be a JSON object"),
    ],
)
def test_a_record_that_is_no_alert_is_refused_without_its_values(raw: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        decode_alert(raw)
    assert not [value for value in PERSONAL if value in str(error.value)]
