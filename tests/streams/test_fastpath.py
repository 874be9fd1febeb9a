"""The fast path never accepts or values differently from the careful one, nor from the tests' oracle."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.catalog_file import read_catalog
from streams.envelope import Decoder, _json, binary_attributes
from streams.errors import DecodeError
from streams.events import Event
from streams.strictjson import MAX_DEPTH
from tests.conformance.case_files import all_cases
from tests.oracle import accept as oracle
from tests.oracle.reading import read_catalog as read_oracle_catalog
from tests.streams.judged import BAD_VALUES, GOOD_VALUES, JOINED, LEFT, REGISTERED, RETRACTED
from tests.streams.wire import CATALOG_TEXT, THEN_MS, catalog, event, line, visit, with_data

CATALOG = catalog()
DECODERS = (Decoder(CATALOG), Decoder(CATALOG))
ORACLE_CATALOG = read_oracle_catalog(CATALOG_TEXT.encode())


def verdict(decode: Any, *args: Any) -> Event | str:
    """The event, or the reason against it."""
    try:
        told: Event = decode(*args)
    except DecodeError as error:
        return error.reason
    return told


def check(value: bytes) -> Event | str:
    """Compare all readings of a line; gives the verdict."""
    decoder, slow_decoder = DECODERS
    decoder.dropped.clear()
    slow_decoder.dropped.clear()
    slow = verdict(slow_decoder._structured, value, None, None)
    fast = decoder._fast.structured(value, None, None)
    assert fast is None or fast == slow
    if fast is not None:
        assert isinstance(slow, Event)
        assert list(fast.data) == list(slow.data)
        assert [type(one) for one in fast.data.values()] == [type(one) for one in slow.data.values()]
        assert decoder.dropped == slow_decoder.dropped
    assert verdict(decoder.line, value) == slow
    on_kafka = verdict(slow_decoder._structured, value, "life.health", THEN_MS * 1000)
    quick = decoder._fast.structured(value, "life.health", THEN_MS * 1000)
    assert quick is None or quick == on_kafka
    agrees_with_oracle(value, slow)
    return slow


def agrees_with_oracle(value: bytes, told: Event | str) -> None:
    if told == "not-json" and value.count(b"[") + value.count(b"{") > MAX_DEPTH:
        return  # over 64 levels a text may be no JSON, to the oracle it is
    reason = None
    try:
        other = oracle.accept(value, ORACLE_CATALOG)
    except oracle.Rejected as error:
        reason = error.reason
    if reason is not None:
        assert told == reason
        return
    assert isinstance(told, Event)
    assert (told.source, told.id, told.type, told.time, told.received) == (
        other.source,
        other.id,
        other.type,
        other.time,
        other.received,
    )
    assert f"{'person' if told.about_person else 'household'}/{told.subject}" == other.subject
    assert told.supersedes == (None if told.type.startswith("registry.") else other.supersedes)
    fields = {name: type_.data for name, type_ in CATALOG.events.items()}.get(told.type, {})
    assert told.data == {
        name: one * 100 if name in fields and fields[name].kind == "money" else one
        for name, one in other.data.items()
    }


NASTY = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"\xef\xbb\xbf" + line(),
    line() + b" \t\r\n",
    line() + b"\x00",
    line() + b"\x0c",
    line() + line(),
    b"\xc2\xa0" + line(),
    # duplicates, at every level, where the last one holds
    line().replace(b'"id"', b'"id": null, "id"'),
    line().replace(b'"id"', b'"id": [1], "id"'),
    line().replace(b'"id"', b'"\\u0069d": "first", "id"'),
    line().replace(b'"id"', b'"id": "\\ud800", "id"'),
    line().replace(b'"id"', b'"id": "\xff", "id"'),
    line().replace(b'"data"', b'"data": null, "data"'),
    line().replace(b'"data"', b'"data": {"severity": 4, "note": 5}, "data"'),
    line().replace(b'"data"', b'"data": {"severity": "\xff"}, "data"'),
    line().replace(b'"severity"', b'"severity": 9, "severity"'),
    line().replace(b'"severity"', b'"severity": NaN, "severity"'),
    line().replace(b'"severity"', b'"severity": {"a": "\\udc00"}, "severity"'),
    line().replace(b'"severity": 3', b'"severity": 3, "severity": null'),
    line().replace(b'"severity": 3', b'"severity": 3, "severity": 0'),
    line().replace(b'"severity"', b'"severity": ' + b"[" * 300 + b"]" * 300 + b', "severity"'),
    # attributes that are ignored
    *(
        line(x="@").replace(b'"@"', text)
        for text in (
            b"NaN",
            b"1e400",
            b"-0",
            b'"\\ud800"',
            b'"\\ud83d\\ude00"',
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b"[[]]",
            b"01",
            b'{"a": 1, "a": "\\udfff"}',
            b"1" * 5000,
            b"[" * 60 + b"]" * 60,
            b"[" * 70 + b"]" * 70,
            b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
            b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1),
        )
    ),
    line(datacontenttype="application/json", dataschema="https://example.org"),
    line(datacontenttype=None),
    line(datacontenttype=5),
    line(datacontenttype="@").replace(b"@", b"\\ud800"),
    line(recordedtime=None, supersedes=None),
    line(recordedtime="", supersedes=""),
    line(recordedtime="2024-03-02t08:00:00.999999999z"),
    line(time="2024-03-02T08:00:00.123456789+08:00"),
    line(specversion="1.0", extra=1.5),
    line().replace(b'"1.0"', b'"\\u0031.0"'),
    line().replace(b'"subject"', b'"subjec\\u0074"'),
    line().replace(b"person/", b"person\\/"),
    line().replace(b'"severity"', b'"se\\u0076erity"'),
    line(id="x" * 129),
    line(id="\U0001f600" * 128),
    line(supersedes="v-1"),
    # unknown fields of data
    *(
        visit("other", text)
        for text in ("5", "1.5", "null", '"x"', "[1, [2]]", '{"a": {}}', '"\\ud800"', "1" * 5000)
    ),
    with_data('{"severity": 3, "": 1, "severity ": 2, "ſeverity": 3}'),
    with_data("{}"),
    with_data("[]"),
    with_data("5.0"),
    *(line(**changes) for changes in (REGISTERED, JOINED, LEFT, RETRACTED)),
    line(**{**RETRACTED, "subject": "household/h-1"}),
    line(**{**RETRACTED, "supersedes": None}),
    line(**JOINED, supersedes="j-0"),
    *(
        line(pad="").replace(b'"pad": ""', b'"pad": "' + b"x" * n + b'"')
        for n in (65_351, 65_352, 65_353, 65_354)
    ),
    *(line().replace(b"{", b"{" + b" " * n, 1) for n in (65_366, 65_367, 65_368, 65_369, 65_370, 65_371)),
]


@pytest.mark.parametrize("value", NASTY, ids=lambda value: repr(value[:40]))
def test_nasty_lines(value: bytes) -> None:
    check(value)


def test_values_of_every_kind() -> None:
    for field in GOOD_VALUES:
        for text in [*GOOD_VALUES[field], *BAD_VALUES[field]]:
            told = check(with_data(f'{{"severity": {text}}}') if field == "severity" else visit(field, text))
            assert isinstance(told, Event) == (text in GOOD_VALUES[field])


@pytest.mark.parametrize(
    "value",
    [
        line(),
        line(recordedtime="2024-03-02T08:00:01Z", supersedes="v-0", datacontenttype="application/json"),
        *(
            visit(field, text)
            for field, values in GOOD_VALUES.items()
            for text in values
            if field != "severity"
        ),
        visit("other", "[1, 2, {}]"),
        visit("planned", "null"),
        line(type="home.damaged", source="/wuchang/civil-affairs", subject="household/h", data={}),
        *(line(**changes) for changes in (REGISTERED, JOINED, LEFT, RETRACTED)),
    ],
    ids=lambda value: repr(value[-60:]),
)
def test_plain_events_take_the_fast_path(value: bytes) -> None:
    """Otherwise all would be right, and four times slower."""
    assert Decoder(CATALOG)._fast.structured(value, None, None) is not None


def test_the_conformance_cases_take_the_fast_path() -> None:
    accepted = fast = 0
    for case in all_cases():
        decoder = Decoder(read_catalog(case.catalog))
        for _, value in case.lines():
            slow = verdict(decoder._structured, value, None, None)
            quick = decoder._fast.structured(value, None, None)
            assert quick is None or quick == slow
            accepted += isinstance(slow, Event)
            fast += quick is not None
    assert fast / accepted > 0.95


NUMBERS = [
    "-0",
    "5.0",
    "5e0",
    "1e400",
    "1E-2",
    "9007199254740993.0",
    "12.500",
    "0.1000000000000000000001",
    "1" * 25,
    "18446744073709551616",
    "9223372036854775808",
    "-9223372036854775809",
    "NaN",
    "01",
    "1.",
    "5",
    "3.14",
    "-2.5",
    "0.07",
    "1.15e1",
]
STRINGS = [
    '"12.50"',
    '"5"',
    '"x"',
    '""',
    '"\\ud800"',
    '"\\u0041"',
    '"general"',
    '"2024-02-29"',
    '"A12"',
    ('"\\ud83d\\ude00"'),
    '"person/p"',
    '"v-1"',
    '"1.0"',
    '"2024-03-02T08:00:00Z"',
]
SCALARS = st.sampled_from([*NUMBERS, *STRINGS, "true", "false", "null", "[]", "{}", '[{"a": 1}]'])
ATTRIBUTES = [*event(), "recordedtime", "supersedes", "datacontenttype", "other", "i\\u0064"]
FIELDS = [*CATALOG.events["health.visit.made"].data, "other", "severit\\u0079"]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """JSON texts near a good event: values exchanged, keys doubled, bytes damaged."""
    fields = [f'"severity": {draw(st.sampled_from(["3", "5.0"]) | SCALARS)}']
    fields += [f'"{draw(st.sampled_from(FIELDS))}": {draw(SCALARS)}' for _ in range(draw(st.integers(0, 3)))]
    pairs = {name: json.dumps(one) for name, one in event().items()}
    pairs["data"] = "{" + ", ".join(fields) + "}"
    parts = [f'"{name}": {one}' for name, one in pairs.items()]
    for _ in range(draw(st.integers(0, 2))):
        extra = f'"{draw(st.sampled_from(ATTRIBUTES))}": {draw(SCALARS)}'
        parts.insert(draw(st.integers(0, len(parts))), extra)
    value = ("{" + draw(st.sampled_from([", ", ",", " ,\n"])).join(parts) + "}").encode()
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(value)))
        damage = draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b"{", b"}", b",", b"0", b"\xef\xbb\xbf"])
        )
        value = value[:at] + damage + value[at + draw(st.integers(0, 2)) :]
    return value


@given(texts())
@example(line())
@settings(max_examples=800, deadline=None)
def test_near_events_agree(value: bytes) -> None:
    check(value)


def test_damaged_bytes_agree() -> None:
    """Every single byte of an event, changed to what most likely breaks or bends it."""
    chance = random.Random(5)
    good = line(
        recordedtime="2024-03-02T09:00:00Z",
        supersedes="v-0",
        data={"severity": 3, "cost_yuan": 12.5, "any_yuan": "7.25", "made_on": "2024-02-29", "ward": "重症"},
    )
    for at in range(len(good)):
        for damage in (b"", b'"', b"\\", b"0", b".", b"e", b"\x80", bytes([chance.randrange(256)])):
            check(good[:at] + damage + good[at + 1 :])


@given(
    st.dictionaries(
        st.sampled_from([*event(), "recordedtime", "supersedes"]),
        st.binary(max_size=6) | st.none(),
        max_size=2,
    ),
    SCALARS | st.just('{"severity": 3}') | st.just('{"severity": 3, "cost_yuan": 0.07}'),
)
@settings(max_examples=200, deadline=None)
def test_binary_events_agree(changes: dict[str, bytes | None], data: str) -> None:
    headers: list[tuple[str, bytes | None]] = [
        (f"ce_{name}", one.encode()) for name, one in event().items() if name != "data"
    ]
    headers += [(f"ce_{name}", one) for name, one in changes.items()]
    attributes = binary_attributes(headers)
    assert attributes is not None
    decoder = DECODERS[0]

    def careful() -> Event:
        return decoder._judge(attributes, _json(data.encode()), "life.health", THEN_MS * 1000)

    slow = verdict(careful)
    quick = decoder._fast.binary(attributes, data.encode(), "life.health", THEN_MS * 1000)
    assert quick is None or quick == slow
    assert verdict(decoder.record, "life.health", data.encode(), headers, THEN_MS) == slow
