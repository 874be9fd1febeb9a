"""Addresses and keys: ``${NAME}`` of a routes file, from the environment or a file of secrets.

What is found is never logged, and an error names the variable only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from casework.alerts.channel_file import REFERENCE
from casework.alerts.routes import Routes
from streams.errors import SettingsError


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """A text with each ``${NAME}`` exchanged for the variable, or for what the file in ``NAME_FILE`` holds.

    Raises:
        SettingsError: a variable is not set or empty, or its file cannot be read.
    """
    return REFERENCE.sub(lambda match: _value(match[1], environment), text)


def missing(routes: Routes, environment: Mapping[str, str]) -> list[str]:
    """What the channels and members of some routes need and the environment does not give, each once."""
    texts = [
        text for one in routes.channels.values() for text in (one.address, one.secret) if text is not None
    ]
    texts += [text for member in routes.members.values() for text in member.contacts.values()]
    found: list[str] = []
    for name in dict.fromkeys(name for text in texts for name in REFERENCE.findall(text)):
        try:
            _value(name, environment)
        except SettingsError as error:
            found.append(str(error))
    return found


def _value(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "")
    path = environment.get(f"{name}_FILE", "")
    if not value and path:
        try:
            value = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{name}_FILE names a file that cannot be read") from None
    if not value:
        raise SettingsError(f"{name} is not set: set it, or {name}_FILE to a file that holds it")
    return value
