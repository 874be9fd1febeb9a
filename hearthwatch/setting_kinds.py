"""What the settings are made of: how one is declared, what several may be, and how a value is checked."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field

LOCAL: Final = "127.0.0.1"


def setting(default: Any, allowed: str, group: str, default_text: str = "", **bounds: Any) -> Any:
    """One setting; its meaning is the docstring below it.

    Args:
        allowed: what may be given, as a fault says it.
        group: the section of the reference page.
        default_text: the default in words, where the value itself does not say it.
    """
    extra: dict[str, Any] = {"allowed": allowed, "group": group, "default_text": default_text}
    return Field(default, json_schema_extra=extra, **bounds)


Port = Annotated[int, Field(ge=1, le=65535)]
MetricsPort = Annotated[int, Field(ge=0, le=65535)]
MOST_PARTITIONS: Final = 1024
Partitions = Annotated[int, Field(ge=1, le=MOST_PARTITIONS)]

PORT_TEXT: Final = "a port, 1 to 65535"
METRICS_PORT_TEXT: Final = "a port, 0 to 65535 (0: any free one)"
SWITCH_TEXT: Final = "true or false"
_PARTITIONS: Final = f"a whole number, 1 to {MOST_PARTITIONS}"
PARTITIONS_TEXT: Final = f"{_PARTITIONS}; it cannot be changed once the topic holds records"
LAID_OUT_TEXT: Final = (
    f"{_PARTITIONS}; once the topic holds records, run `hearthwatch repartition` before another"
    " (docs/how-to/change-partitions.md)"
)
ADDED_TEXT: Final = (
    f"{_PARTITIONS}; once the topic holds records, add partitions to it before it is raised"
    " (docs/how-to/change-partitions.md)"
)


def absolute(path: Path | None) -> Path | None:
    """A path that means the same wherever a worker is started."""
    return None if path is None else path.expanduser().absolute()


def readable(path: Path | None) -> Path | None:
    """A file that can be read; raises ValueError, as all of these do."""
    path = absolute(path)
    if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
        raise ValueError("no such file, or not readable")
    return path


def addresses(text: str) -> str:
    """``host:port``, several with commas between."""
    for part in text.split(","):
        host, colon, port = part.strip().rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("not host:port")
    return text


def redis_urls(text: str) -> str:
    """URLs of Redis, several with commas between; those after the first may be ``host:port`` alone."""
    for number, part in enumerate(text.split(",")):
        if number == 0 and "//" not in part:
            raise ValueError("not such a URL")
        address = urlsplit(part if "//" in part else f"redis://{part}")
        place = address.path if address.scheme == "unix" else address.hostname
        if address.scheme not in {"redis", "rediss", "unix"} or not place:
            raise ValueError("not such a URL")
        _ = address.port  # raises ValueError where it is no port
    return text


def web_address(text: str | None) -> str | None:
    """A URL of the web."""
    if text is not None and not text.startswith(("https://", "http://")):
        raise ValueError("not such a URL")
    return text


def options_of_java(text: str | None) -> str | None:
    """Options as in a shell."""
    if not all(word.startswith("-") for word in shlex.split(text or "")):
        raise ValueError("not such options")
    return text


def port_or(given: object, default: int) -> int:
    """The port that was given, if it is one; a faulty one is reported by its own setting alone."""
    text = str(given)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 65536 else default
