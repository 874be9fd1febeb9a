"""Bad events, through the whole running program: each gives its reason, and nothing is lost.

A file with a family's real events and one line of every fault is published. What the broker can take ends in
the dead letters byte for byte; what it cannot is in the rejects file; the family's events all count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.settings import load_settings
from streams.catalog_file import read_catalog
from streams.stories import Story, read_story
from tests.bad_input.running import Program

STORY = Path(__file__).resolve().parents[2] / "examples" / "stories" / "wang-fuhong.yaml"


def bill(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "b1",
        "source": "/wuchang/medical-insurance",
        "type": "insurance.bill.settled",
        "subject": "person/story-wang-fuhong.daughter",
        "time": "2024-05-02T10:00:00+08:00",
        "recordedtime": "2024-05-02T10:00:00+08:00",
        "data": {"self_paid_yuan": 100, "total_yuan": 200, "inpatient": False},
        **changes,
    }


def line(**changes: Any) -> bytes:
    return json.dumps(bill(**changes), ensure_ascii=False).encode()


#: The fault in words, its line, and the reason that has to come of it in the dead letters.
DEAD = [
    ("a wrong department", line(source="/wuchang/housing"), "wrong-department"),
    ("a department of another district", line(source="/hanyang/medical-insurance"), "wrong-department"),
    ("a subject with a name in it", line(subject="person/王富红"), "bad-subject"),
    ("a subject of the other kind", line(subject="household/story-wang-fuhong"), "bad-subject"),
    ("a time without offset", line(time="2024-05-02T10:00:00"), "bad-time"),
    ("a time of next week", line(time="2024-05-09T10:00:00+08:00"), "bad-time"),
    ("an unknown type", line(type="insurance.bill.imagined"), "unknown-type"),
    ("a negative bill", line(data={"self_paid_yuan": -100}), "bad-data"),
    ("no data", line(data=None), "bad-data"),
    ("a number for an id", line(id=7), "not-cloudevent"),
    ("a value of 70 KB", line(note="x" * 70_000), "too-large"),
]
#: What stays with the publisher, and its reason in the rejects file.
KEPT = [
    ("a truncated JSON", line()[:90], "not-json"),
    ("a value of 10 MB", line(note="x" * 10_000_000), "too-large"),
    ("a department that nobody knows", line(source="/wuchang/astrology"), "no-topic"),
    ("bytes that are no UTF-8", b'{"source":"/wuchang/health","subject":"person/\xff"}', "not-json"),
]


@dataclass(frozen=True)
class Outcome:
    """What became of the file."""

    file: Path
    lines: list[bytes]
    story: Story
    summary: dict[str, Any]
    exit_status: int
    rejects: list[dict[str, Any]]
    letters: list[dict[str, Any]]
    household: dict[str, Any]


@pytest.fixture(scope="module")
def outcome(program: Program) -> Outcome:
    story = read_story(STORY, read_catalog(load_settings().catalog))
    lines = list(story.lines)
    for number, (_, bad, _) in enumerate([*DEAD, *KEPT]):
        lines.insert(min(len(lines), 3 + 2 * number), bad)
    file = program.folder / "events.jsonl"
    file.write_bytes(b"".join(one + b"\n" for one in lines))
    done = program.run("publish", str(file), "--json")
    program.good("tick", "--until", story.until)
    letters = program.rows("deadletters", "list", "--all", "--values", "--json")
    household = json.loads(program.good("household", "show", story.household, "--json"))
    rejects = [json.loads(row) for row in (program.folder / "events.jsonl.rejects").read_bytes().splitlines()]
    return Outcome(file, lines, story, json.loads(done.stdout), done.returncode, rejects, letters, household)


def test_every_line_is_either_published_or_kept(outcome: Outcome) -> None:
    assert outcome.exit_status == 1
    assert outcome.summary["published"] + outcome.summary["rejected"] == len(outcome.lines)
    assert outcome.summary["rejected"] == len(KEPT) == len(outcome.rejects)
    assert len(outcome.letters) == len(DEAD)


@pytest.mark.parametrize(("bad", "reason"), [case[1:] for case in DEAD], ids=[case[0] for case in DEAD])
def test_a_bad_event_is_dead_lettered_with_its_reason_byte_for_byte(
    outcome: Outcome, bad: bytes, reason: str
) -> None:
    (letter,) = [one for one in outcome.letters if one["value"].encode() == bad]
    assert letter["reason"] == reason
    assert letter["message"]
    assert letter["origin"]["topic"].startswith("life.")


@pytest.mark.parametrize(("bad", "reason"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT])
def test_a_line_that_cannot_be_sent_is_kept_with_its_number_and_reason(
    outcome: Outcome, bad: bytes, reason: str
) -> None:
    number = outcome.lines.index(bad) + 1
    (kept,) = [one for one in outcome.rejects if one["line"] == number]
    assert kept["reason"] == reason
    if "text" in kept:
        assert kept["text"].encode() == bad


def test_the_good_events_all_count(outcome: Outcome, program: Program) -> None:
    """The set of events decides the final score, so it is that of a backtest over the same file."""
    settings = load_settings()
    scores, rejections = program.folder / "scores.jsonl", program.folder / "rejections.jsonl"
    done = program.run(
        "backtest", str(outcome.file), "--catalog", str(settings.catalog), "--policy", str(settings.policy),
        "--out", str(program.folder / "warnings.jsonl"), "--scores", str(scores),
        "--rejections", str(rejections), "--until", outcome.story.until,
    )  # fmt: skip
    assert done.returncode == 0
    (score,) = [json.loads(row) for row in scores.read_bytes().splitlines()]
    assert outcome.household["household"] == score["household"] == outcome.story.household
    assert outcome.household["score"] == score["score"] > 0
    assert len(outcome.household["members"]) == score["members"]
    # A file has no broker that a line could be too large for, and no topics to look for.
    named = [json.loads(row)["reason"] for row in rejections.read_bytes().splitlines()]
    assert len(named) == len(DEAD) + len(KEPT)


def test_a_truncated_json_that_is_sent_all_the_same_is_dead_lettered(
    outcome: Outcome, program: Program
) -> None:
    file = program.folder / "truncated.jsonl"
    file.write_bytes(line()[:90] + b"\n")
    program.good("publish", str(file), "--topic", "life.medical-insurance")
    program.good("tick", "--until", outcome.story.until)
    letters = program.rows("deadletters", "list", "--reason", "not-json", "--values", "--json")
    assert [letter["value"].encode() for letter in letters] == [line()[:90]]


def test_no_message_says_a_personal_value(outcome: Outcome) -> None:
    assert not [one for one in outcome.letters if "王富红" in one["message"]]
    assert not [one for one in outcome.rejects if "astrology" in one["message"]]
