"""The kept position of a file is believed only where the file is still the same up to there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from streams.errors import InputError
from streams.position import Position, Tracker

TEXT = b"one\ntwo\nthree\nfour"


def after(lines: int) -> Tracker:
    tracker = Tracker()
    for raw in TEXT.splitlines(keepends=True)[:lines]:
        tracker.passed(raw)
    return tracker


@pytest.fixture
def position(tmp_path: Path) -> Position:
    return Position(tmp_path / "state", tmp_path / "events.jsonl", "cluster-1")


def test_without_a_state_file_a_file_starts_at_its_beginning(position: Position) -> None:
    source = io.BytesIO(TEXT)
    tracker, note = position.resume(source)
    assert (tracker.lines, tracker.bytes, note, source.tell()) == (0, 0, "", 0)


def test_a_kept_position_goes_on_after_its_line(position: Position) -> None:
    position.save(after(2))
    source = io.BytesIO(TEXT + b"\nfive\n")
    tracker, note = position.resume(source)
    assert source.read() == b"three\nfour\nfive\n"
    assert (tracker.lines, note) == (2, "goes on after line 2")
    tracker.passed(b"three\n")
    assert tracker.digest == after(3).digest


@pytest.mark.parametrize("content", [b"ONE\ntwo\nthree\n", b"one\n", b""])
def test_a_file_that_changed_before_the_position_starts_again(position: Position, content: bytes) -> None:
    position.save(after(2))
    source = io.BytesIO(content)
    tracker, note = position.resume(source)
    assert (tracker.lines, source.tell()) == (0, 0)
    assert "starts from the beginning" in note


def test_a_damaged_state_file_starts_again(position: Position) -> None:
    position.save(after(2))
    position.path.write_bytes(position.path.read_bytes()[:20])
    assert position.resume(io.BytesIO(TEXT))[0].lines == 0


def test_another_cluster_has_seen_nothing_of_the_file(position: Position, tmp_path: Path) -> None:
    position.save(after(2))
    other = Position(tmp_path / "state", tmp_path / "events.jsonl", "cluster-2")
    assert other.resume(io.BytesIO(TEXT))[0].lines == 0


def test_forgetting_starts_again_and_may_be_repeated(position: Position) -> None:
    position.save(after(2))
    position.forget()
    position.forget()
    assert position.resume(io.BytesIO(TEXT))[0].lines == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the way")
    position = Position(tmp_path / "state", tmp_path / "events.jsonl", "cluster-1")
    with pytest.raises(InputError, match="the position cannot be kept there"):
        position.save(after(1))
