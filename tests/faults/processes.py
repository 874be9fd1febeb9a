"""Worker processes as the fault tests hold them: started in a blink, listened to, stopped, killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

from faust.types import TP

from agents.signals import Recorder
from tests.faults.worker import Order, main

#: Forks of one process that has everything imported: a worker costs 0.1 s to start instead of 1.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.worker"])


class Running:
    """One worker process.

    Attributes:
        signals: what it has told; ``wait`` of it has a deadline.
        exited: set when the process is gone, for whatever reason.
    """

    def __init__(self, order: Order, heard: Recorder) -> None:
        self.order = order
        self.signals = Recorder()
        self.exited = asyncio.Event()
        self._heard = heard
        self._pipe, theirs = CONTEXT.Pipe(duplex=False)
        self.process = CONTEXT.Process(target=main, args=(order, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe.fileno(), self._read)

    @property
    def name(self) -> str:
        """Of the worker, in the ledger and in logs."""
        return str(self.order.options["worker"])

    def _read(self) -> None:
        try:
            while self._pipe.poll():
                facts: dict[str, Any] = json.loads(self._pipe.recv_bytes())
                name = facts.pop("name")
                if "tp" in facts:
                    facts["tp"] = TP(*facts["tp"])
                self.signals.emit(name, **facts)
                self._heard.emit(name, **{**facts, "worker": self.name})
        except (EOFError, OSError):
            self._close()

    def _close(self) -> None:
        if not self.exited.is_set():
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self.exited.set()
            self._heard.emit("exited", worker=self.name)

    async def fault(self, timeout: float = 120.0) -> dict[str, Any]:  # noqa: ASYNC109
        """Wait for the fault that was ordered: which moment it was. One that kills has then taken effect."""
        facts = await self.signals.wait("fault", timeout=timeout)
        if facts["action"] == "kill":
            await self.gone()
            assert self.process.exitcode == -signal.SIGKILL
        return facts

    async def gone(self, timeout: float = 120.0) -> int:  # noqa: ASYNC109
        """Wait until the process has ended; its exit code."""
        async with asyncio.timeout(timeout):
            await self.exited.wait()
        self.process.join(10)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def send(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.process.pid is not None and self.process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL, also one that is stopped."""
        self.send(signal.SIGKILL)
        self.process.join(10)
        self._read()
        self._close()

    async def leave(self) -> None:
        """SIGTERM: an orderly end."""
        self.send(signal.SIGTERM)
        assert await self.gone() == 0, self.order.log

    def last_lines(self) -> str:
        """The end of its log, for a failed test."""
        path = Path(self.order.log)
        return path.read_text("utf-8")[-4000:] if path.exists() else ""
