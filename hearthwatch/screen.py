"""What `hearthwatch up` shows while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hearthwatch.run_folder import RunState, WorkerState, ask_ready, last_lines
from hearthwatch.settings import Settings

logger = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 1.0
COLOURS: Final = {
    "ready": "green",
    "starting": "yellow",
    "waiting": "red",
    "stopping": "yellow",
    "stopped": "dim",
}


def wide_console() -> Console:
    """A console for tables: in a pipe not as narrow as 80 characters, which would cut paths and addresses."""
    if sys.stdout.isatty():
        return Console()
    return Console(width=max(shutil.get_terminal_size().columns, 160))


def printable(text: str) -> str:
    """Without control characters: what somebody wrote must not drive the reader's terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


class Lines:
    """A line for each change that an operator wants to read later."""

    def __init__(self, state: RunState, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._said: dict[str, tuple[str, int]] = {}

    def changed(self, worker: WorkerState) -> None:
        """A worker's state has changed."""
        now = (worker.state, worker.restarts)
        if self._said.get(worker.name) == now:
            return
        self._said[worker.name] = now
        more = {
            "starting": f" (pid {worker.pid})",
            "ready": f" (pid {worker.pid}, {worker.url}/metrics)",
            "waiting": f": it died with status {worker.last_exit} and is started again; see {worker.log}",
        }.get(worker.state, "")
        self._say(f"{worker.name} {worker.state}{more}", worker)
        everyone = self._state.workers
        if worker.state == "ready" and all(one.state == "ready" for one in everyone):
            self._say(f"all {len(everyone)} workers are ready")

    def note(self, text: str) -> None:
        """Something befell the servers."""
        if self._settings.log_format == "json":
            logger.warning("%s", text)
        else:
            self._say(text)

    def _say(self, text: str, worker: WorkerState | None = None) -> None:
        if self._settings.log_format == "json":
            fields = {} if worker is None else {"worker": worker.name, "state": worker.state}
            level = logging.WARNING if fields.get("state") == "waiting" else logging.INFO
            logger.log(level, "%s", text, extra=fields)
        else:
            click.echo(f"{time.strftime('%H:%M:%S')} {text}")

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """While this lasts, changes are shown."""
        yield


class LiveTable:
    """Workers, readiness, lag and speed, once a second."""

    def __init__(self, state: RunState, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._answers: dict[str, dict[str, Any]] = {}
        self._events: dict[str, tuple[float, float]] = {}
        self._speeds: dict[str, float] = {}
        self._notes: list[str] = []

    def changed(self, worker: WorkerState) -> None:
        """A worker's state has changed."""
        if worker.state == "waiting":
            self._events.pop(worker.name, None)
            last = last_line_of(worker)
            self.note(f"{worker.name} died ({worker.last_exit}){last}")

    def note(self, text: str) -> None:
        """Something that an operator wants to read later; the last four stay on the screen."""
        self._notes.append(f"{time.strftime('%H:%M:%S')} {text}")
        del self._notes[:-4]

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """While this lasts, the table is on the screen."""
        with Live(self._render(), console=Console(), refresh_per_second=4, transient=False) as live:
            task = asyncio.ensure_future(self._refresh(live))
            try:
                yield
            finally:
                task.cancel()
                live.update(self._render())

    async def _refresh(self, live: Live) -> None:
        while True:
            for worker in self._state.workers:
                answer = await asyncio.to_thread(ask_ready, worker, 1.0)
                if answer is None:
                    self._answers.pop(worker.name, None)
                    continue
                self._answers[worker.name] = answer
                now, events = time.monotonic(), float(answer.get("events", 0))
                then, before = self._events.get(worker.name, (now, events))
                if now > then:
                    self._speeds[worker.name] = max(0.0, (events - before) / (now - then))
                self._events[worker.name] = (now, events)
            live.update(self._render())
            await asyncio.sleep(REFRESH_SECONDS)

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for heading in ("worker", "state", "pid", "restarts", "partitions", "lag", "records/s", "metrics"):
            table.add_column(
                heading, justify="left" if heading in ("worker", "state", "metrics") else "right"
            )
        for worker in self._state.workers:
            answer = self._answers.get(worker.name, {})
            table.add_row(
                worker.name,
                Text(worker.state, style=COLOURS[worker.state]),
                str(worker.pid or ""),
                str(worker.restarts),
                str(answer.get("owned", "")),
                f"{sum(answer['lag'].values()):.0f}" if "lag" in answer else "",
                f"{self._speeds.get(worker.name, 0):.0f}" if answer else "",
                f"{worker.url}/metrics",
            )
        head = Text(
            f"Kafka {self._settings.kafka_bootstrap}   clock {self._state.clock}   Ctrl-C stops", style="dim"
        )
        return Group(head, table, *(Text(note, style="red") for note in self._notes))


def last_line_of(worker: WorkerState) -> str:
    """What the last line of a worker's log says, for a note."""
    lines = last_lines(Path(worker.log), 1)
    return f": {_said(lines[0])[:160]}" if lines else ""


def _said(line: str) -> str:
    """The text of a line of JSON; any other line as it is."""
    try:
        read = json.loads(line)
    except ValueError:
        return line
    return str(read["message"]) if isinstance(read, dict) and "message" in read else line
