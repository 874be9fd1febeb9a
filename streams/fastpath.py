"""The quick reading of one event: accepted, or left to the careful one.

It only ever accepts. What it accepts, :mod:`streams.verdict` accepts with the same value (that is tested);
whatever is rejected or merely unusual gives None, and the careful path has the word.

Numbers with a point or an exponent come out of msgspec as ``bytes`` (its ``float_hook``), so that their exact
text is read and no JSON text can be taken for one. Checks of ``data`` are compiled to Python, one function a
type.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from streams.catalog import BUILT_IN_TYPES, RETRACTED, SUBJECT_ID, Catalog, EventType, Field
from streams.events import Event, Value
from streams.strictjson import MAX_DEPTH, scaled
from streams.timestamps import DAY, is_date, parse_fast
from streams.verdict import INT64, MAX_BYTES, MAX_ID, MONEY_TEXT

Data = dict[str, Any]
Check = Callable[[Data], "dict[str, Value] | None"]

_DATES_KEPT: Final = 20_000
_dates: dict[str, str] = {}


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A structured event with no other attributes than these; the last four are usual, and ignored."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: Data
    recordedtime: str | None = None
    supersedes: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


class _Rule:
    """What is asked of the events of one type."""

    def __init__(self, type_: EventType, catalog: Catalog) -> None:
        self.type = type_.type
        self.is_retraction = type_.type == RETRACTED
        self.is_registry = type_.type in BUILT_IN_TYPES and not self.is_retraction
        self.about_person = type_.subject == "person"
        kinds = "person|household" if self.is_retraction else type_.subject
        self.subject = re.compile(f"(?:{kinds})/({SUBJECT_ID})").fullmatch
        # Source to source: events share one string, not one each.
        self.sources = {source: source for source in map(catalog.source_of, catalog.senders(type_.type))}
        self.check = compile_check(type_.data)
        self.known = frozenset(type_.data)


class FastPath:
    """Accepts what is plainly right."""

    def __init__(self, catalog: Catalog, count: Callable[[str, str], None]) -> None:
        """Compile a catalogue; ``count(type, field)`` is called for each dropped field."""
        types = {**BUILT_IN_TYPES, **catalog.events}
        self._rules = {name: _Rule(type_, catalog) for name, type_ in types.items()}
        self._topics = {catalog.source_of(name): f"life.{name}" for name in catalog.departments}
        self._count = count
        hook: Any = str.encode
        self._envelope = msgspec.json.Decoder(_Envelope, float_hook=hook).decode
        self._data = msgspec.json.Decoder(dict[str, Any], float_hook=hook).decode

    def structured(self, value: bytes, topic: str | None, received: int | None) -> Event | None:
        """Read a structured event, or leave it; arguments as of :func:`streams.verdict.judge`."""
        if len(value) > MAX_BYTES or _may_be_deep(value):
            return None
        try:
            it = self._envelope(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return self._accept(it, topic, received)

    def binary(
        self, attributes: Mapping[str, str], value: bytes, topic: str | None, received: int | None
    ) -> Event | None:
        """Read a binary event, or leave it."""
        if len(value) > MAX_BYTES or _may_be_deep(value):
            return None
        try:
            it = _Envelope(
                attributes["specversion"],
                attributes["id"],
                attributes["source"],
                attributes["type"],
                attributes["subject"],
                attributes["time"],
                self._data(value),
                attributes.get("recordedtime"),
                attributes.get("supersedes"),
            )
        except (KeyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return self._accept(it, topic, received)

    def _accept(self, it: _Envelope, topic: str | None, received: int | None) -> Event | None:
        rule = self._rules.get(it.type)
        if rule is None or it.specversion != "1.0":
            return None
        id_, subject, supersedes, data = it.id, it.subject, it.supersedes, it.data
        source = rule.sources.get(it.source)
        if source is None or not 0 < len(id_) <= MAX_ID:
            return None
        if topic is not None and self._topics[source] != topic:
            return None
        if supersedes is not None:
            if not 0 < len(supersedes) <= MAX_ID or supersedes == id_:
                return None
            if rule.is_registry:
                supersedes = None  # registry events correct nothing
        elif rule.is_retraction:
            return None
        match = rule.subject(subject)
        time = parse_fast(it.time)
        if match is None or time is None:
            return None
        if it.recordedtime is not None:
            recorded = parse_fast(it.recordedtime)
            if recorded is None or (received is not None and recorded > received + DAY):
                return None
            if received is None:
                received = recorded
        elif received is None:
            received = time
        if time > received + DAY:
            return None
        fields = rule.check(data)
        if fields is None:
            return None
        if len(fields) != len(data):
            for name, value in data.items():
                if value is not None and name not in rule.known:
                    self._count(rule.type, name)
        about_person = subject[0] == "p" if rule.is_retraction else rule.about_person
        return Event(rule.type, source, id_, match[1], time, received, fields, supersedes, about_person)


def _may_be_deep(value: bytes) -> bool:
    """Whether a JSON text may have more levels than it may have; each takes two brackets."""
    return len(value) > 2 * MAX_DEPTH and value.count(b"{") + value.count(b"[") > MAX_DEPTH


def compile_check(fields: Mapping[str, Field]) -> Check:
    """A function that gives the stored form of ``data``, or None where it leaves that to the careful path."""
    names: dict[str, Any] = {"money": _money, "whole": _whole, "date": _date}
    lines = ["def check(data):", "    get = data.get", "    out = {}"]
    for index, field in enumerate(fields.values()):
        lines += [f"    v = get({field.name!r})", "    if v is not None:"]
        lines += [f"        {line}" for line in _lines(field, str(index), names)]
        lines += [f"        out[{field.name!r}] = v"]
        if field.required:
            lines += ["    else: return None"]
    lines += ["    return out"]
    exec(compile("\n".join(lines), "<data check>", "exec"), names)  # noqa: S102  names and patterns are quoted
    check: Check = names["check"]
    return check


def _lines(field: Field, suffix: str, names: dict[str, Any]) -> list[str]:
    """Code that turns ``v``, which is not None, into its stored form, or returns None."""
    if field.kind == "boolean":
        return ["if v is not True and v is not False: return None"]
    if field.kind == "integer" or field.kind == "money":
        least = INT64[0] if field.least is None else max(INT64[0], math.ceil(field.least))
        greatest = INT64[1] if field.greatest is None else min(INT64[1], math.floor(field.greatest))
        if field.kind == "money":
            stored = [
                "if type(v) is int: v *= 100",
                # The usual 12.50: JSON has digits behind a point, and at least two bytes beside it.
                "elif type(v) is bytes and v[-3] == 46 and len(v) < 20: v = int(v.replace(b'.', b''))",
                "else: v = money(v)",
            ]
        else:
            stored = ["if type(v) is not int: v = whole(v)"]
        return [*stored, f"if v is None or not {least} <= v <= {greatest}: return None"]
    if field.kind == "choice":
        names[f"of{suffix}"] = {value: value for value in field.of}
        return ["if type(v) is not str: return None", f"v = of{suffix}.get(v)", "if v is None: return None"]
    if field.kind == "date":
        return ["v = date(v)", "if v is None: return None"]
    lines = [f"if type(v) is not str or len(v) > {field.max_length}: return None"]
    if field.pattern is not None:
        names[f"matches{suffix}"] = re.compile(field.pattern, re.ASCII).fullmatch
        lines.append(f"if not matches{suffix}(v): return None")
    return lines


def _money(value: object) -> int | None:
    """Fen of a number with a point or exponent (bytes), or of a money text."""
    if type(value) is bytes:
        return scaled(value.decode("ascii"), 2)
    if type(value) is str and MONEY_TEXT.fullmatch(value):
        return scaled(value, 2)
    return None


def _whole(value: object) -> int | None:
    """The value of a number such as ``5.0`` or ``5e0`` (bytes)."""
    return scaled(value.decode("ascii"), 0) if type(value) is bytes else None


def _date(value: object) -> str | None:
    """The date itself, where it is one."""
    if type(value) is not str:
        return None
    known = _dates.get(value)
    if known is not None:
        return known
    if not is_date(value):
        return None
    if len(_dates) < _DATES_KEPT:
        _dates[value] = value
    return value
