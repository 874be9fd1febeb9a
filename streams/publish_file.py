"""Publishing a file of events so that no line is lost.

A line counts as published once the broker has acknowledged it. The position up to which that holds is kept
in a small state file; an interrupted run goes on from there. Lines around the interruption may be sent twice,
which changes nothing, because facts are known by source and id. What cannot be sent goes to a rejects file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import kafka.errors

from streams.errors import InputError, PublishTimeoutError
from streams.outgoing import Refused
from streams.position import Position, Tracker
from streams.publish import Publisher, told

#: Bounds of what waits for its acknowledgement, and so of what is sent twice after an interruption.
_IN_FLIGHT_LINES: Final = 10_000
_IN_FLIGHT_BYTES: Final = 16_777_216
_SAVE_SECONDS: Final = 1.0
_BLANK: Final = b" \t\r\n"


@dataclass(slots=True)
class Summary:
    """What became of a file.

    Attributes:
        file: its name; ``-`` is standard input.
        published: lines that the broker has acknowledged in this run.
        rejected: reason to number of lines that stayed behind.
        blank: lines of nothing but space, tab and CR.
        resumed_after: lines that earlier runs had already published.
        line: the line, from 1, up to which nothing is left to do.
        seconds: how long this run took.
        rejects: the file with what stayed behind, where there is one.
        note: what to know about the start, such as that a kept position no longer fits.
    """

    file: str
    published: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    blank: int = 0
    resumed_after: int = 0
    line: int = 0
    seconds: float = 0.0
    rejects: Path | None = None
    note: str = ""

    @property
    def rate(self) -> float:
        """Lines published per second."""
        return self.published / self.seconds if self.seconds > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        return {
            "file": self.file,
            "published": self.published,
            "rejected": sum(self.rejected.values()),
            "rejected_by_reason": dict(sorted(self.rejected.items())),
            "blank": self.blank,
            "resumed_after": self.resumed_after,
            "line": self.line,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.rate, 1),
            "rejects": str(self.rejects) if self.rejects else None,
        }


class Interrupted(KeyboardInterrupt):
    """The run was interrupted; its position is kept.

    Attributes:
        summary: what was done before.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        super().__init__(f"{summary.file}: interrupted after line {summary.line:,}")


class Brake:
    """An interruption, taken only where nothing is half done: while waiting for input or for the broker.

    Made so that :meth:`pull` can be a signal handler.
    """

    def __init__(self) -> None:
        self.pulled = False
        self._released = False

    def pull(self, *_: object) -> None:
        """Stop the run at the next place where it may stop, which may be here."""
        self.pulled = True
        if self._released:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self._released = True
        if self.pulled:
            self._released = False
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        self._released = False


@dataclass(slots=True)
class _Sent:
    """A line on its way: its raw bytes, its number, and the acknowledgement to come."""

    raw: bytes
    line: int
    future: Any


def publish_file(
    publisher: Publisher,
    source: BinaryIO,
    *,
    name: str,
    position: Position | None = None,
    rejects: Path,
    progress: Callable[[int, int], None] | None = None,
    brake: Brake | None = None,
) -> Summary:
    """Publish all lines of an open file.

    Args:
        name: what to call the file in messages.
        position: where the file's progress is kept; None for what cannot be read twice.
        rejects: lines that cannot be sent are added here, as JSON lines.
        progress: called with (lines, bytes) that were read since the last call.
        brake: what interrupts the run.

    Raises:
        PublishTimeoutError: the broker was away for too long. The position is kept.
        Interrupted: the run was interrupted. The position is kept.
        InputError: the rejects file or the position cannot be written.
    """
    return _Run(publisher, source, Summary(name), position, rejects, progress, brake or Brake()).run()


class _Run:
    """One run over one file."""

    def __init__(
        self,
        publisher: Publisher,
        source: BinaryIO,
        summary: Summary,
        position: Position | None,
        rejects: Path,
        progress: Callable[[int, int], None] | None,
        brake: Brake,
    ) -> None:
        self.brake = brake
        self.publisher = publisher
        self.source = source
        self.summary = summary
        self.position = position
        self.rejects = rejects
        self.progress = progress
        self.tracker = Tracker()
        self.waiting: deque[_Sent] = deque()
        self.waiting_bytes = 0
        self.kept: BinaryIO | None = None

    def run(self) -> Summary:
        began = last_save = time.monotonic()
        if self.position is not None:
            self.tracker, self.summary.note = self.position.resume(self.source)
            self.summary.resumed_after = self.summary.line = self.tracker.lines
        try:
            for number, raw in self._lines():
                self._one(number, raw)
                self._settle()
                now = time.monotonic()
                if now - last_save > _SAVE_SECONDS:
                    last_save = now
                    self._save()
            with self.brake:
                self.publisher.flush(self.publisher.timeout_seconds + 1)
            self._settle(to=0)
        except (PublishTimeoutError, kafka.errors.KafkaError) as error:
            self._settle_what_is_done()
            self._save()
            why = str(error) if isinstance(error, PublishTimeoutError) else told(error)
            done = f"published up to line {self.summary.line:,}"
            raise PublishTimeoutError(f"{self.summary.file}: {why}; {done}; {self._how_to_go_on()}") from None
        except KeyboardInterrupt:
            self._give_the_rest_a_moment()
            self._save()
            raise Interrupted(self.summary) from None
        finally:
            self.summary.seconds = time.monotonic() - began
            if self.kept is not None:
                self.kept.close()
        if self.position is not None:
            self.position.forget()
        return self.summary

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        number = self.tracker.lines
        while True:
            with self.brake:
                raw = self.source.readline()
            if not raw:
                return
            number += 1
            yield number, raw

    def _one(self, number: int, raw: bytes) -> None:
        line = raw.rstrip(b"\r\n")
        if not line.strip(_BLANK):
            self._queue(_Sent(raw, number, None))
            return
        record = self.publisher.address(line)
        if isinstance(record, Refused):
            self._queue(_Sent(raw, number, record))
        else:
            self._queue(_Sent(raw, number, self.publisher.hand_over(record)))

    def _queue(self, sent: _Sent) -> None:
        self.waiting.append(sent)
        self.waiting_bytes += len(sent.raw)
        if self.progress is not None:
            self.progress(1, len(sent.raw))

    def _settle(self, to: int | None = None) -> None:
        """Account for lines from the front: those that are done, and more where too many wait."""
        most = _IN_FLIGHT_LINES if to is None else to
        while self.waiting:
            first = self.waiting[0]
            crowded = len(self.waiting) > most or self.waiting_bytes > _IN_FLIGHT_BYTES
            if not crowded and not _is_done(first):
                return
            if not _is_done(first):
                self._wait_for(first)
            self._account(first)

    def _wait_for(self, sent: _Sent) -> None:
        try:
            with self.brake:
                sent.future.get(timeout=self.publisher.timeout_seconds + 1)
        except kafka.errors.KafkaError:
            if not sent.future.is_done:
                raise

    def _settle_what_is_done(self) -> None:
        while self.waiting and _is_done(self.waiting[0]):
            try:
                self._account(self.waiting[0])
            except kafka.errors.KafkaError:
                return

    def _give_the_rest_a_moment(self) -> None:
        with contextlib.suppress(kafka.errors.KafkaError):
            self.publisher.flush(2)
        self._settle_what_is_done()

    def _account(self, sent: _Sent) -> None:
        """The line's fate is known: count it and move the position behind it."""
        if sent.future is None:
            self.summary.blank += 1
        elif isinstance(sent.future, Refused):
            self._keep(sent, sent.future)
        elif sent.future.failed():
            # After any refusal kafka-python fails the records behind it with the same error, so no single
            # line can be blamed: the run stops here, and the next one begins with this line.
            raise sent.future.exception
        else:
            self.summary.published += 1
        self.waiting.popleft()
        self.waiting_bytes -= len(sent.raw)
        self.tracker.passed(sent.raw)
        self.summary.line = sent.line

    def _keep(self, sent: _Sent, refused: Refused) -> None:
        """Add a line to the rejects file; it is on disk before the position moves behind it."""
        if self.kept is None:
            try:
                self.kept = self.rejects.open("ab")
            except OSError as error:
                raise InputError(
                    f"{self.rejects}: rejected lines cannot be kept there: {error.strerror}"
                ) from None
            self.summary.rejects = self.rejects
        row: dict[str, Any] = {
            "file": self.summary.file,
            "line": sent.line,
            "reason": refused.reason,
            "message": refused.message,
        }
        try:
            row["text"] = sent.raw.rstrip(b"\n").decode()
        except UnicodeDecodeError:
            row["base64"] = base64.b64encode(sent.raw.rstrip(b"\n")).decode()
        self.kept.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self.kept.flush()
        self.summary.rejected[refused.reason] += 1

    def _save(self) -> None:
        if self.position is not None:
            self.position.save(self.tracker)

    def _how_to_go_on(self) -> str:
        if self.position is None:
            return "standard input cannot be read again, so send what follows once more"
        return "run the same command again to go on from there"


def _is_done(sent: _Sent) -> bool:
    return sent.future is None or isinstance(sent.future, Refused) or bool(sent.future.is_done)
