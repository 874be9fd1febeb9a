"""Where settings come from beside the environment: files of secrets, and the configuration file."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from streams.errors import SettingsError

PREFIX: Final = "HEARTHWATCH_"
CONFIG_VARIABLE: Final = "HEARTHWATCH_CONFIG"
A_FILE: Final = "the path of a file that can be read"
"""What may be given for a setting that is one."""


def variable_of(name: str) -> str:
    """The variable of a setting."""
    return PREFIX + name.upper()


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting may also come from a file of its own, and is never shown."""
    return "SecretStr" in str(field.annotation)


class SecretFiles(PydanticBaseSettingsSource):
    """``HEARTHWATCH_<SECRET>_FILE``: the file's text, without line ends at its end, is the secret."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{variable_of(field_name)}_FILE"
        path = os.environ.get(variable)
        if not is_secret(field) or not path:
            return None, field_name, False
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise SettingsError(f"{variable}: got {path!r} ({why}); allowed: {A_FILE}") from None

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = value
        return found


class ConfigFile(PydanticBaseSettingsSource):
    """The file that ``HEARTHWATCH_CONFIG`` names; paths in it are relative to its own folder."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False  # the file is read whole

    def __call__(self) -> dict[str, Any]:
        path = os.environ.get(CONFIG_VARIABLE)
        return read_config(Path(path), self.settings_cls.model_fields) if path else {}


def read_config(path: Path, fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """Read a configuration file.

    Args:
        fields: the settings that it may have.

    Raises:
        SettingsError: it cannot be read, is neither TOML nor YAML, or has keys that are no settings.
    """
    allowed = "allowed: the path of a .toml, .yaml or .yml file"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{CONFIG_VARIABLE}: got {str(path)!r} ({why}); {allowed}") from None
    try:
        if path.suffix == ".toml":
            values = tomllib.loads(text)
        elif path.suffix in {".yaml", ".yml"}:
            values = yaml.safe_load(text) or {}
        else:
            raise SettingsError(f"{CONFIG_VARIABLE}: got {str(path)!r}; {allowed}")
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: expected settings as `name: value`")
    unknown = [str(name) for name in values if name not in fields]
    if unknown:
        raise SettingsError("\n".join(f"{path}: {no_setting(name, fields)}" for name in unknown))
    return {name: _beside(path, fields[name], value) for name, value in values.items() if value is not None}


def _beside(path: Path, field: FieldInfo, value: Any) -> Any:
    if "Path" in str(field.annotation) and isinstance(value, str):
        return path.absolute().parent / Path(value).expanduser()
    return value


def no_setting(name: str, fields: Iterable[str]) -> str:
    """A sentence that this is no setting, with the nearest one."""
    near = difflib.get_close_matches(name.lower().removeprefix(PREFIX.lower()), list(fields), 1)
    if name.startswith(PREFIX):
        near = [variable_of(found) for found in near]
    return f"`{name}` is no setting" + (f"; did you mean `{near[0]}`?" if near else "")
