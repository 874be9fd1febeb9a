"""What a dead letter of the program's own failure says, as far as the stage that failed can know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.lanes import Failure
from agents.poison import SetAside
from streams.deadletters import HOUSEHOLD, INTERNAL_ERROR, DeadLetter, read_dead_letter
from streams.records import CASE_COMMANDS

EVENT = {
    "specversion": "1.0", "type": "benefit.granted", "source": "/wuchang/civil-affairs", "id": "e1",
    "time": "2024-07-01T09:00:00+08:00",
}  # fmt: skip


class Producer:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Any) -> None:
        assert topic == "deadletters"
        self.letters.append(
            read_dead_letter(partition=0, offset=0, timestamp_ms=0, key=key, value=value, headers=headers)
        )

    async def send(self) -> None:
        pass


async def letter(topic: str, value: bytes | None, *headers: tuple[str, bytes]) -> DeadLetter:
    """The dead letter of a record that the stage which reads it failed on."""
    producer = Producer()
    failure = Failure(None, topic, 2, 7, b"k", value, headers, ZeroDivisionError())
    await SetAside({}, producer).put([failure])  # type: ignore[arg-type]
    (one,) = producer.letters
    assert (one.reason, one.origin, one.key, one.value) == (INTERNAL_ERROR, (topic, 2, 7), b"k", value)
    return one


async def test_what_intake_fails_on_names_the_household_that_it_is_about() -> None:
    structured = json.dumps({**EVENT, "subject": "household/H1", "data": {}}).encode()
    assert (await letter("life.civil-affairs", structured)).household == "H1"
    attributes = [(f"ce_{name}", text.encode()) for name, text in EVENT.items()]
    binary = [*attributes, ("ce_subject", b"household/H2")]
    found = await letter("life.civil-affairs", b"{}", *binary)
    assert found.household == "H2"
    assert list(found.headers) == binary


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({**EVENT, "subject": "person/p1", "data": {}}).encode(),
        json.dumps({**EVENT, "subject": "H1"}).encode(),
        json.dumps({**EVENT, "subject": "household/\ud800"}).encode(),
        json.dumps([EVENT]).encode(),
        b"\xff",
        b"[" * 100_000,
        None,
    ],
)
async def test_where_intake_cannot_know_it_nobody_is_named(value: bytes | None) -> None:
    """Also not by a header of this name that the sender had put there."""
    found = await letter("life.civil-affairs", value, (HOUSEHOLD, b"H9"))
    assert found.household is None


async def test_what_a_stage_of_cases_fails_on_names_the_household_that_it_is_keyed_by() -> None:
    assert (await letter(CASE_COMMANDS, b"{}")).household == "k"
    assert (await letter("alerts", b"{}")).household is None
