"""Where log lines go: standard error, as lines for people or one JSON object each (docs/reference/logs.md).

Everything logs through the standard library, our clients too, so one handler sees all of it. What a line is
about stands in fields (``logging``'s ``extra``), not only in its text. No line has a value that a department
sent: of an exception only its type and the places that it passed are written, unless it is one of ours or of
the operating system, whose texts name files, addresses and ids alone.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from streams.errors import HearthwatchError

Format = Literal["text", "json"]

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every record has; all others are fields."""
_COLOURS: Final = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a line has beside its text."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def told(error: BaseException) -> str:
    """An exception in one line, without anything that a department may have sent."""
    kind = type(error).__name__
    if isinstance(error, HearthwatchError | OSError):
        text = " ".join(str(error).split())
        return f"{kind}: {text}" if text else kind
    return kind


def frames_of(error: BaseException) -> Iterator[str]:
    """The places that an exception and its causes passed, each as a line, the innermost cause first."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from frames_of(cause)
        yield "which led to:"
    yield told(error)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


class _Lines(logging.Formatter):
    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__()
        self._about = dict(about)


class JsonLines(_Lines):
    """One JSON object a line.

    ``time`` (UTC), ``level``, ``logger``, ``message``; what was said of the whole process (``stage``,
    ``worker``); the line's own fields; of an exception ``error`` and ``traceback``, a list.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._about,
            **fields_of(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = told(record.exc_info[1])
            line["traceback"] = list(frames_of(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(_Lines):
    """A line for people: local time, level, what it is about, its text and its fields."""

    def __init__(self, about: Mapping[str, Any], *, in_colour: bool = False) -> None:
        super().__init__(about)
        self._in_colour = in_colour

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        time = datetime.fromtimestamp(record.created).astimezone().isoformat(" ", "milliseconds")[:23]
        level = f"{record.levelname:<7}"
        if self._in_colour and record.levelname in _COLOURS:
            level = f"\x1b[{_COLOURS[record.levelname]}m{level}\x1b[0m"
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        if fields and self._in_colour:
            fields = f"\x1b[2m{fields}\x1b[0m"
        text = f"{time} {level} {record.name}: {record.getMessage()}{fields}"
        if record.exc_info and record.exc_info[1] is not None:
            text = "\n  ".join([text, *frames_of(record.exc_info[1])])
        return text


def log_to_stderr(level: str, form: Format, **about: Any) -> None:
    """Send everything at or above ``level`` to standard error, and nothing anywhere else.

    Python's warnings, and an exception that ends the program or a thread, become log lines too.

    Args:
        about: fields that every JSON line gets.
    """
    handler = logging.StreamHandler(sys.stderr)
    in_colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    handler.setFormatter(JsonLines(about) if form == "json" else TextLines(about, in_colour=in_colour))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _ended("the program", error)
    threading.excepthook = lambda args: _ended("a thread", args.exc_value)


def _ended(what: str, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        logging.getLogger(__name__).critical("%s ended by %s", what, told(error), exc_info=error)


def quiet() -> None:
    """For commands: what clients log stays unsaid, because the command says in one line what went wrong.

    Without a handler Python would write warnings and errors of any library to the terminal.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
