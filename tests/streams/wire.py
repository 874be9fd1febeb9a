"""A small catalogue with every kind of field, and events for it."""

from __future__ import annotations

import json
from typing import Any

from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.envelope import Decoder
from streams.errors import DecodeError

CATALOG_TEXT = """\
catalog: wuchang
version: 1
source_root: /wuchang
departments:
  - {id: health, title: {en: Health Commission, zh: 卫生健康局}}
  - {id: civil-affairs, silent_after: 2d}
  - id: public-security
registry: [civil-affairs, public-security]
keep: 400d
events:
  - type: health.visit.made
    departments: [health, civil-affairs]
    subject: person
    title: {en: Visit made, zh: 走访}
    data:
      severity: {kind: integer, required: true, min: 1, max: 9007199254740995}
      cost_yuan: {kind: money, min: -5, max: 10000000.50}
      any_yuan: {kind: money}
      any_number: {kind: integer}
      planned: {kind: boolean}
      made_on: {kind: date}
      note: {kind: text, max_length: 5}
      code: {kind: text, pattern: '[A-Z]\\d{2}|x'}
      ward: {kind: choice, of: [general, surgery, 重症]}
  - type: home.damaged
    departments: [civil-affairs]
    subject: household
"""

DAY_MS = 86_400_000
#: 2024-03-02T08:00:00+08:00, the time of :func:`event`, in milliseconds since 1970.
THEN_MS = 1_709_337_600_000


def catalog() -> Catalog:
    """The catalogue above."""
    return read_catalog("catalog.yaml", CATALOG_TEXT.encode())


def event(**changes: Any) -> dict[str, Any]:
    """A good event of ``health.visit.made``; a change to ``...`` leaves the attribute out."""
    good: dict[str, Any] = {
        "specversion": "1.0",
        "id": "v-1",
        "source": "/wuchang/health",
        "type": "health.visit.made",
        "subject": "person/p-1",
        "time": "2024-03-02T08:00:00+08:00",
        "data": {"severity": 3},
    }
    merged = {**good, **changes}
    return {name: value for name, value in merged.items() if value is not ...}


def line(**changes: Any) -> bytes:
    """:func:`event` as a line."""
    return json.dumps(event(**changes), ensure_ascii=False).encode()


def with_data(text: str) -> bytes:
    """A line whose data is this JSON text."""
    return line(data="@").replace(b'"@"', text.encode())


def visit(field: str, text: str) -> bytes:
    """A line with one more field, given as JSON text."""
    return with_data(f'{{"severity": 3, "{field}": {text}}}')


def reason(decoder: Decoder, value: bytes) -> str:
    """Why a line is rejected, or ``accepted``."""
    try:
        decoder.line(value)
    except DecodeError as error:
        return error.reason
    return "accepted"
