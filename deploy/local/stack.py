"""The embedded stack as one thing: start, look at, stop and erase Kafka and Valkey of one data directory."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from deploy.local import jars
from deploy.local.crash import known_cause, telling
from deploy.local.data_folder import (
    check_disk,
    default_data_dir,
    default_jars_dir,
    default_java_options,
    disk_full_is_ours,
    locked,
)
from deploy.local.kafka import KAFKA_SERIES, Kafka
from deploy.local.ports import require_free
from deploy.local.process import ManagedProcess
from deploy.local.valkey import VALKEY_SERIES, Valkey
from streams.errors import LocalStackError, StartError

KAFKA_PORT = 19092
VALKEY_PORT = 16379
"""Beside the usual 9092 and 6379, so that an installed Kafka or Redis is neither met nor disturbed."""

LAYOUT = 1
START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 30.0
SHOWN_LOG_LINES = 8

State = Literal["running", "starting", "stale", "stopped"]
Progress = Callable[[str, int, int], None]
"""What is going on, steps done, steps in all (0: not known)."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How one server is.

    Attributes:
        state: ``running`` answers; ``starting`` is alive but does not answer (yet); ``stale`` left a pid file
            behind and is gone; ``stopped`` was never started or was stopped.
        port: that of the running server, otherwise the one it would be started on.
        since: when it was started, in seconds since 1970.
        cause: of a ``stale`` one, what its log says it stopped for, with the fix; may be empty.
    """

    name: str
    state: State
    pid: int | None
    address: str
    port: int
    since: float | None
    data: str
    log: str
    cause: str = ""


class Stack:
    """Kafka and Valkey of one data directory, on ports of this machine's loopback address.

    The object holds no connection and no process: another one on the same directory sees the same servers.
    Only one program at a time starts or stops them (a lock file says which).
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        kafka_port: int = KAFKA_PORT,
        valkey_port: int = VALKEY_PORT,
        *,
        kafka_controller_port: int | None = None,
        jars_dir: Path | None = None,
        maven_repository: str | None = None,
        kafka_options: Mapping[str, str] | None = None,
        kafka_scram_users: Mapping[str, str] | None = None,
        valkey_options: Mapping[str, str] | None = None,
        java_options: str | None = None,
        start_timeout_seconds: float = START_TIMEOUT_SECONDS,
    ) -> None:
        """Describe the stack; nothing is touched before :meth:`up`.

        Args:
            kafka_controller_port: the port after Kafka's, unless said.
            jars_dir: where Kafka's jars are kept, ``jars`` in the user's data directory unless said (not in
                ``data_dir``: every stack uses the same).
            maven_repository: the URL of a mirror to fetch the jars from.
            java_options: further options of Kafka's JVM, as in a shell; those of the environment
                (``HEARTHWATCH_JAVA_OPTIONS``) unless said.
        """
        self.data_dir = (data_dir or default_data_dir()).absolute()
        self.folder = self.data_dir / "local"
        self.jars_dir = (jars_dir or default_jars_dir()).absolute()
        self._maven_repository = maven_repository
        self._start_timeout_seconds = start_timeout_seconds
        self.kafka = Kafka(
            self.folder / "kafka",
            kafka_port,
            kafka_controller_port or kafka_port + 1,
            jars=[self.jars_dir / jar.file_name for jar in jars.locked()],
            options=kafka_options or {},
            java_options=shlex.split(default_java_options() if java_options is None else java_options),
            scram_users=kafka_scram_users or {},
        )
        self.valkey = Valkey(self.folder / "valkey", valkey_port, options=valkey_options or {})

    @property
    def kafka_bootstrap(self) -> str:
        """``host:port`` of Kafka."""
        return self.kafka.address

    @property
    def redis_url(self) -> str:
        """The URL of Valkey."""
        return self.valkey.address

    def process(self, name: str) -> ManagedProcess:
        """The process of ``kafka`` or ``valkey``."""
        server = self._server(name)
        return ManagedProcess(server.name, server.folder)

    def up(self, progress: Progress = lambda what, done, total: None) -> list[ServerStatus]:
        """Start what does not run, and return when both servers answer.

        Raises:
            LocalStackError: a port in use, a missing package, a full disk, data of another version,
                running on other ports than asked for.
            StartError: a server died or stayed silent; what this call started is stopped again.
            TransportError: the jars could not be fetched.
        """
        with locked(self.data_dir, self.folder), disk_full_is_ours(self.data_dir):
            self._check_versions()
            self._check_ports_of_running()
            missing = [server for server in (self.kafka, self.valkey) if not self._process(server).running()]
            if missing:
                check_disk(self.data_dir, self.folder)
            for server in missing:
                if self._process(server).is_stale():
                    progress(f"Cleaning up after a {server.title} that did not stop properly", 0, 0)
                for port, variable in server.ports:
                    require_free(port, server=server.title, variable=variable)
            if self.kafka in missing:
                jars.ensure(self.jars_dir, repository=self._maven_repository, progress=progress)
            # Both before either starts: they fail where a package is missing.
            commands = {server.name: server.command() for server in missing}
            started: list[Kafka | Valkey] = []
            try:
                for server in missing:
                    progress(f"Starting {server.title}", 0, 0)
                    server.prepare()
                    self._process(server).spawn(
                        commands[server.name],
                        port=server.port,
                        marker=str(server.config_file),
                        environment=server.environment(),
                    )
                    started.append(server)
                self._wait_until_ready(progress)
            except BaseException:
                for server in started:
                    self._process(server).stop(timeout_seconds=5.0)
                raise
        return self.status()

    def down(self, progress: Progress = lambda what, done, total: None) -> dict[str, bool | None]:
        """Stop both servers: ``None`` did not run, ``True`` ended by itself, ``False`` had to be forced."""
        if not self.folder.exists():
            return {server.name: None for server in (self.kafka, self.valkey)}
        with locked(self.data_dir, self.folder):
            return self._stop_all(progress)

    def reset(self, progress: Progress = lambda what, done, total: None) -> None:
        """Stop both servers and erase all their data (the jars stay)."""
        if not self.folder.exists():
            return
        with locked(self.data_dir, self.folder):
            self._stop_all(progress)
            progress("Erasing data", 0, 0)
            for path in (self.kafka.folder, self.valkey.folder):
                if path.exists():
                    shutil.rmtree(path)
            self._version_file.unlink(missing_ok=True)

    def status(self) -> list[ServerStatus]:
        """How both servers are, asked now."""
        return [self._status_of(self.kafka), self._status_of(self.valkey)]

    def dead(self) -> list[str]:
        """The servers that ended without having been stopped, by their titles."""
        return [s.title for s in (self.kafka, self.valkey) if self._process(s).is_stale()]

    def kill(self, name: str) -> None:
        """End a server at once (SIGKILL), as a crash would; its pid file stays behind. For fault tests."""
        import signal

        process = self.process(name)
        running = process.running()
        if running is not None:
            process.send(signal.SIGKILL)
            process.wait_gone(running, 10.0)

    # -- inside ---------------------------------------------------------------------------------------------

    @property
    def _version_file(self) -> Path:
        return self.folder / "versions.json"

    def _server(self, name: str) -> Kafka | Valkey:
        if name not in {"kafka", "valkey"}:
            raise LocalStackError(f"there is no server `{name}`: kafka or valkey")
        return self.kafka if name == "kafka" else self.valkey

    @staticmethod
    def _process(server: Kafka | Valkey) -> ManagedProcess:
        return ManagedProcess(server.name, server.folder)

    def _stop_all(self, progress: Progress) -> dict[str, bool | None]:
        outcome: dict[str, bool | None] = {}
        for server in (self.kafka, self.valkey):
            process = self._process(server)
            if process.running() is not None:
                progress(f"Stopping {server.title}", 0, 0)
            outcome[server.name] = process.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
        return outcome

    def _status_of(self, server: Kafka | Valkey) -> ServerStatus:
        process = self._process(server)
        record = process.record()
        running = process.running()
        state: State
        if running is None:
            state = "stale" if process.is_stale() else "stopped"
        else:
            state = "running" if self._at_recorded_port(server).answers() else "starting"
        alive = record if running is not None else None
        shown = self._at_recorded_port(server) if alive else server
        return ServerStatus(
            name=server.name,
            state=state,
            pid=alive.pid if alive else None,
            address=shown.address,
            port=shown.port,
            since=alive.started if alive else None,
            data=str(server.folder / "data"),
            log=str(process.log_file),
            cause=(known_cause(process.last_lines(100, of_this_run=True)) or "") if state == "stale" else "",
        )

    def _at_recorded_port(self, server: Kafka | Valkey) -> Kafka | Valkey:
        """The server as it was started, which may be on another port than this program would use."""
        record = self._process(server).record()
        if record is None or record.port == server.port:
            return server
        if isinstance(server, Kafka):
            return Kafka(server.folder, record.port, server.controller_port)
        return Valkey(server.folder, record.port)

    def _check_ports_of_running(self) -> None:
        for server in (self.kafka, self.valkey):
            process = self._process(server)
            record = process.record()
            if record is not None and record.port != server.port and process.running() is not None:
                raise LocalStackError(
                    f"{server.title} of {self.data_dir} already runs on port {record.port}, "
                    f"not {server.port}: stop it with `hearthwatch local down`, "
                    f"or set {server.variable}={record.port}"
                )

    def _check_versions(self) -> None:
        """Refuse data that another version made; note ours where there is none yet."""
        ours = {"layout": LAYOUT, "kafka": KAFKA_SERIES, "valkey": VALKEY_SERIES}
        try:
            theirs = json.loads(self._version_file.read_text("utf-8"))
        except FileNotFoundError:
            if any((server.folder / "data").exists() for server in (self.kafka, self.valkey)):
                theirs = "none"
            else:
                beside = self._version_file.with_suffix(".new")
                beside.write_text(json.dumps(ours) + "\n", "utf-8")
                beside.replace(self._version_file)
                return
        except ValueError:
            theirs = "unreadable"
        if theirs != ours:
            raise LocalStackError(
                f"the data in {self.folder} was made by another version ({_versions(theirs)}; this one has "
                f"{_versions(ours)}): erase it with `hearthwatch local reset`, or choose another folder "
                "with HEARTHWATCH_DATA_DIR"
            )

    def _wait_until_ready(self, progress: Progress) -> None:
        began = time.monotonic()
        deadline = began + self._start_timeout_seconds
        waiting: list[Kafka | Valkey] = [self.kafka, self.valkey]
        while waiting:
            for server in tuple(waiting):
                process = self._process(server)
                if process.running() is None:
                    raise StartError(self._crash(server))
                if server.answers():
                    waiting.remove(server)
                    if not process.is_ready():
                        process.mark_ready(address=server.address, seconds=time.monotonic() - began)
                    progress(f"{server.title} answers at {server.address}", 0, 0)
            if waiting and time.monotonic() > deadline:
                titles = " and ".join(server.title for server in waiting)
                logs = ", ".join(str(self._process(server).log_file) for server in waiting)
                raise StartError(
                    f"{titles} did not answer within {self._start_timeout_seconds:g} seconds: see {logs}, "
                    "or try again when the machine is less busy"
                )
            if waiting:
                time.sleep(0.03)

    def _crash(self, server: Kafka | Valkey) -> str:
        """One line with the cause and the fix, then the last lines of the log."""
        process = self._process(server)
        lines = process.last_lines(100, of_this_run=True)
        cause = known_cause(lines) or "see its last lines below"
        shown = "".join(f"\n  | {line}" for line in telling(lines, SHOWN_LOG_LINES))
        return f"{server.title} stopped while it started: {cause} (log: {process.log_file}){shown}"


def _versions(found: object) -> str:
    if not isinstance(found, dict):
        return f"its versions.json is {'missing' if found == 'none' else 'unreadable'}"
    return ", ".join(f"{name} {version}" for name, version in found.items())


def as_json(statuses: Sequence[ServerStatus]) -> dict[str, object]:
    """The status as ``hearthwatch local status --json`` prints it."""
    return {"servers": {status.name: asdict(status) for status in statuses}}
