"""A file or a terminal, for tests and for trying things out."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import orjson

from agents.channels.answers import Answer
from casework.alerts.intents import Send


class ToFile:
    """Appends each message to a file as a line of JSON; a message that is sent twice stands there twice,
    under the same key."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, send: Send, address: str) -> Answer:
        """Write a message down."""
        line = {
            "key": send.key,
            "channel": send.channel,
            "member": send.member,
            **send.data,
            "text": {"title": send.text.title, "body": send.text.body},
        }
        try:
            with self._path.open("ab") as file:
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        except OSError:
            return Answer("failed", "not-written")
        return Answer("sent")


class ToTerminal:
    """Prints each message."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def send(self, send: Send, address: str) -> Answer:
        """Print a message."""
        try:
            self._out.write(f"{send.text.title}\n{send.text.body}\n\n")
            self._out.flush()
        except (OSError, ValueError):  # the reader left, or the stream is closed
            return Answer("failed", "not-written")
        return Answer("sent")
