"""A warning and a message as the demo meets them."""

from __future__ import annotations

import json
from typing import Any

from hearthwatch.demo.helping import Message
from streams.warnings_topic import WarningRecord, read_warning


def warning(household: str, number: int, level: str | None, **data: Any) -> WarningRecord:
    type = data.pop("type", "warning.raised")
    body = {
        "id": f"{household}-{number}",
        "type": type,
        "data": {
            "household": household,
            "level": level,
            "previous_level": None,
            "score": 40,
            "previous_score": 2,
            "day": "2024-05-11",
            "reason": "fact",
            "cause": {"source": "/wuchang/health", "id": "e1", "subject": "person/p"},
            "because": [],
            **data,
        },
    }
    record = read_warning(json.dumps(body).encode(), seen_seconds=1000.5)
    assert record is not None
    return record


def message(key: str, case: str, kind: str = "raised", channel: str = "mail") -> Message:
    alert = {"id": f"{case}-1-{kind}", "case": case, "kind": kind, "level": "blue"}
    return Message(key, channel, "community-007003", "alerts", (alert,), "told")
