"""Writes docs/reference/settings.md from the settings: ``python -m hearthwatch.settings_page > FILE``."""

from __future__ import annotations

import sys
from typing import Any

from pydantic.fields import FieldInfo

from hearthwatch.setting_sources import CONFIG_VARIABLE, variable_of
from hearthwatch.settings import SECRETS, Settings

_HEAD = f"""# Settings

Every setting is a variable. The same names in lower case and without `HEARTHWATCH_` may stand in a TOML or
YAML file that `{CONFIG_VARIABLE}` (or `hearthwatch --config FILE`) names; a variable goes before the file, an
option of a command before both, and an empty variable counts as unset. Paths in the file are relative to its
folder.

```toml
# hearthwatch.toml
kafka_bootstrap = "kafka-1:9093,kafka-2:9093,kafka-3:9093"
kafka_security_protocol = "SASL_SSL"
kafka_username = "hearthwatch"
kafka_ca_file = "ca.pem"
replication_factor = 3
redis_url = "rediss://redis:6379/0"
```

A secret may also stand in a file of its own, named by its variable with `_FILE` at the end, as Docker and
Kubernetes mount them: `HEARTHWATCH_KAFKA_PASSWORD_FILE=/run/secrets/kafka`. Secrets are never printed.

Something that cannot be used ends every command with exit status 2 and one line for each fault: the variable,
what was given, what is allowed. A variable that begins like a setting and is none is ignored: it may be
somebody else's, such as those that Kubernetes makes of a service's name. `hearthwatch up`, `worker` and `api`
warn of it when they start, with the setting that it is nearest to, and so does `hearthwatch doctor`.

This page is written by `python -m hearthwatch.settings_page`, and a test compares it with the code.

### `{CONFIG_VARIABLE}`

The file that settings are read from.

- Default: none
- Allowed: the path of a .toml, .yaml or .yml file
"""


def page() -> str:
    """The whole page, in Markdown."""
    parts = [_HEAD]
    group = ""
    for name, field in Settings.model_fields.items():
        extra = _extra(field)
        if extra["group"] != group:
            group = extra["group"]
            parts.append(f"## {group}\n")
        parts.append(_entry(name, field, extra))
    return "\n".join(parts)


def _entry(name: str, field: FieldInfo, extra: dict[str, str]) -> str:
    default = extra["default_text"] or ("none" if field.default is None else f"`{_plain(field.default)}`")
    lines = [f"### `{variable_of(name)}`", "", " ".join((field.description or "").split()), ""]
    lines.append(f"- Default: {default}")
    lines.append(f"- Allowed: {extra['allowed']}")
    if name in SECRETS:
        lines.append(f"- Secret; also from the file that `{variable_of(name)}_FILE` names")
    return "\n".join(lines) + "\n"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _extra(field: FieldInfo) -> dict[str, str]:
    extra: Any = field.json_schema_extra
    return {key: str(extra[key]) for key in ("group", "allowed", "default_text")}


if __name__ == "__main__":
    sys.stdout.write(page())
