"""Events and values whose verdict is known, for tests of every way to it."""

from __future__ import annotations

from typing import Any

import pytest

from streams.envelope import Decoder
from streams.errors import DecodeError

REGISTERED = {
    "type": "registry.household.registered",
    "source": "/wuchang/civil-affairs",
    "subject": "household/h-1",
    "data": {"community": "420106001001"},
}


JOINED = {
    "type": "registry.member.joined",
    "source": "/wuchang/public-security",
    "data": {"household": "h-1", "role": "head"},
}


LEFT = {"type": "registry.member.left", "source": "/wuchang/civil-affairs", "data": {"reason": "moved"}}


RETRACTED: dict[str, Any] = {
    "type": "fact.retracted",
    "supersedes": "v-0",
    "data": {"reason": "wrong person"},
}


GOOD_VALUES: dict[str, dict[str, Any]] = {
    "severity": {
        "5": 5,
        "5.0": 5,
        "5e0": 5,
        "0.5e1": 5,
        "50E-1": 5,
        "9007199254740993.0": 9007199254740993,
        "9007199254740993": 9007199254740993,
        "1": 1,
        "9007199254740995": 9007199254740995,
    },
    "any_number": {
        "9223372036854775807": 2**63 - 1,
        "-9223372036854775808": -(2**63),
        "-0": 0,
        "-0.0": 0,
        "0e99999": 0,
        "922337203685477580.7e1": 2**63 - 1,
    },
    "cost_yuan": {
        "12": 1200,
        "12.5": 1250,
        "12.50": 1250,
        "12.500": 1250,
        "1.25e1": 1250,
        "-5": -500,
        "-0.00": 0,
        "1e2": 10000,
        '"12"': 1200,
        '"12.5"': 1250,
        '"12.05"': 1205,
        '"-4.99"': -499,
        '"007.50"': 750,
        '"-0"': 0,
        "10000000.50": 1000000050,
        '"10000000.5"': 1000000050,
        "0.01": 1,
        "1e-2": 1,
        '"\\u0031"': 100,
    },
    "any_yuan": {
        "92233720368547758.07": 2**63 - 1,
        '"92233720368547758.07"': 2**63 - 1,
        "-92233720368547758.08": -(2**63),
        '"' + "0" * 5000 + '1"': 100,
    },
    "planned": {"true": True, "false": False},
    "made_on": {'"2024-02-29"': "2024-02-29", '"0001-01-01"': "0001-01-01", '"9999-12-31"': "9999-12-31"},
    "note": {
        '""': "",
        '"五个汉字哦"': "五个汉字哦",
        '"\\u0000"': "\u0000",
        '"\\ud83d\\ude00bcde"': "\U0001f600bcde",
    },
    "code": {'"A12"': "A12", '"x"': "x"},
    "ward": {'"general"': "general", '"重症"': "重症", '"\\u91cd\\u75c7"': "重症"},
}


BAD_VALUES: dict[str, list[str]] = {
    "severity": [
        "0",
        "9007199254740996",
        "5.5",
        "5.0000000000000000000000001",
        '"5"',
        "true",
        "[5]",
        "{}",
        "1e400",
        "1e-400",
        "1e999999999999",
        "1" * 5000,
    ],
    "any_number": [
        "9223372036854775808",
        "-9223372036854775809",
        "9223372036854775807.5",
        "12345678901234567890123",
    ],
    "cost_yuan": [
        "12.501",
        "0.1000000000000000000001",
        "-5.01",
        "10000000.51",
        '"12.500"',
        '".5"',
        '"5."',
        '"1e2"',
        '"+5"',
        '" 5"',
        '"5\\n"',
        '""',
        '"1,000"',
        '"１２"',
        '"1_0"',
        '"NaN"',
        '"-5.01"',
        "true",
        "[]",
        "1e400",
        '"--5"',
        '"10000000.51"',
    ],
    "any_yuan": [
        "92233720368547758.08",
        '"92233720368547758.08"',
        "-92233720368547758.09",
        "1e17",
        "1" * 5000,
        '"' + "1" * 5000 + '"',
        "1e999999999",
    ],
    "planned": ["1", "0", '"true"', "[]"],
    "made_on": [
        '"2023-02-29"',
        '"2024-2-1"',
        '"2024-02-01T00:00:00Z"',
        '"0000-01-01"',
        '"20240201"',
        "20240201",
        '"2024-02-01 "',
        '""',
    ],
    "note": ['"sixsix"', "5", "true", "[]", "{}", '"六个汉字哦哦"'],
    "code": ['"A1"', '"A123"', '"xA12"', '"A12\\n"', '"A１２"', '""', '"a12"'],
    "ward": ['"General"', '""', '"general "', "1", "true", '["general"]', "{}"],
}


def rejection(decoder: Decoder, value: bytes) -> tuple[str, str]:
    with pytest.raises(DecodeError) as caught:
        decoder.line(value)
    return caught.value.reason, caught.value.message
