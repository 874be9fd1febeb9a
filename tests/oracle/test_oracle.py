"""The oracle agrees with every conformance case, and its comparison sees differences."""

from __future__ import annotations

import copy
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.oracle import strictjson
from tests.oracle.__main__ import main
from tests.oracle.backtest import Outputs, backtest
from tests.oracle.clock import format_time, midnight, parse_date, parse_time
from tests.oracle.compare import first_difference, read_outputs
from tests.oracle.fuzz import shrink
from tests.oracle.generate import Case, generate, read_case

CASES = Path(__file__).parents[1] / "conformance" / "cases"
FOLDERS = sorted(path.parent for path in CASES.rglob("events.jsonl"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_oracle_gives_what_the_case_says(folder: Path) -> None:
    case = read_case(folder)
    outputs = backtest(case.catalog, case.policy, case.events, case.until_day)
    assert first_difference(read_outputs(folder), outputs) is None


def test_there_are_cases() -> None:
    assert len(FOLDERS) > 40


def sample() -> Outputs:
    return read_outputs(CASES / "generated" / "seed-9001")


def test_comparison_sees_every_changed_value() -> None:
    """Each leaf of each message is looked at: changing it is a difference."""
    for kind in ("warnings", "scores"):
        for index, message in enumerate(getattr(sample(), kind)):
            for path in _leaves(message):
                changed = sample()
                _change(getattr(changed, kind)[index], path)
                assert first_difference(sample(), changed) is not None, (kind, index, path)


def test_comparison_sees_missing_and_swapped_warnings() -> None:
    assert first_difference(sample(), sample()) is None
    for index in range(3):
        fewer = sample()
        del fewer.warnings[index]
        assert first_difference(sample(), fewer) is not None
        assert first_difference(fewer, sample()) is not None
    swapped = sample()
    swapped.warnings.reverse()  # all of one household
    assert first_difference(sample(), swapped) is not None
    rejected = sample()
    rejected.rejections.append({"line": 3, "reason": "bad-data", "message": ""})
    assert first_difference(sample(), rejected) is not None


def test_comparison_takes_instants_and_numbers_by_value() -> None:
    other = copy.deepcopy(sample())
    other.warnings[0]["time"] = "2024-03-28T10:34:26.0+08:00"
    other.warnings[0]["data"]["because"][0]["measure"] = 0.0
    assert first_difference(sample(), other) is None


@pytest.mark.parametrize(
    ("zone", "date", "expected"),
    [
        ("Asia/Shanghai", "2024-03-01", "2024-02-29T16:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),  # begins at 01:00
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30:00Z"),  # comes twice
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),  # begins at 00:30
        ("America/Juneau", "1867-10-18", "1867-10-17T08:57:41Z"),  # two days long
        ("Pacific/Apia", "2011-12-30", None),  # left out
    ],
)
def test_first_instant_of_a_day(zone: str, date: str, expected: str | None) -> None:
    day = parse_date(date)
    assert day is not None
    instant = midnight(ZoneInfo(zone), day)
    assert (None if instant is None else format_time(instant)) == expected


NO_JSON = (
    *(b"", b"\xef\xbb\xbf{}", b"NaN", b"-Infinity", b'"\\ud800"', b'{"\\udc00":1}', b"01", b"1.", b"[1,]"),
    *(b'{"a":"\\ud800","a":1}', b"\xff", b"{}{}", b"'a'", b'"\xed\xa0\x80"', b"+1", b".5", b"1e", b"\x0b1"),
    *(b"True", b'"\t"'),
)


@pytest.mark.parametrize("raw", NO_JSON)
def test_strict_json_refuses(raw: bytes) -> None:
    with pytest.raises(strictjson.NotJsonError):
        strictjson.read(raw)


def test_strict_json_is_exact() -> None:
    assert strictjson.read(b'{"a":1,"a":[true,null,"\\ud83d\\ude00"]}') == {"a": [True, None, "😀"]}
    huge = strictjson.read(b"1e99999999999")
    assert isinstance(huge, strictjson.Number)
    assert huge.value() is None
    assert huge.is_whole()
    assert strictjson.read(b"-0.0") == strictjson.read(b"0e99999999999")


NO_TIMES = (
    *("2024-02-30T00:00:00Z", "2024-02-01T23:59:60Z", "2024-02-01T12:00:00", "2024-02-01 12:00:00Z"),
    *(
        "0001-01-01T00:00:00+00:01",
        "2024-02-01T12:00:00.Z",
        "2024-02-01T12:00:00+24:00",
        "２024-02-01T12:00:00Z",
    ),
)


@pytest.mark.parametrize("text", NO_TIMES)
def test_time_refuses(text: str) -> None:
    assert parse_time(text) is None


def test_time_cuts_off_beyond_microseconds() -> None:
    assert parse_time("1970-01-01t08:00:00.0000019999+08:00") == 1
    assert parse_time("1969-12-31T23:59:59.9999999z") == -1


def test_generate_is_a_function_of_the_seed() -> None:
    assert generate(5) == generate(5)
    assert generate(5) != generate(6)


def test_shrinking_keeps_the_difference() -> None:
    case = generate(17, 60)
    outputs = backtest(case.catalog, case.policy, case.events, case.until_day)
    assert outputs.warnings

    def silent(case: Case) -> Outputs:
        right = backtest(case.catalog, case.policy, case.events, case.until_day)
        return Outputs([], right.scores, right.rejections)

    small = shrink(case, silent)
    assert 0 < len(small.lines) < 10
    assert backtest(small.catalog, small.policy, small.events, small.until_day).warnings


def test_command_line(tmp_path: Path) -> None:
    """The options and outputs of policy, section 7."""
    assert main(["generate", "--seed", "7", "--size", "40", "--out", str(tmp_path)]) == 0
    files = [str(tmp_path / "events.jsonl"), "--catalog", str(tmp_path / "catalog.yaml")]
    options = ["--policy", str(tmp_path / "policy.yaml"), "--scores", str(tmp_path / "s")]
    until = ["--until", (tmp_path / "until").read_text().strip()] if (tmp_path / "until").exists() else []
    outs = ["--out", str(tmp_path / "w"), "--rejections", str(tmp_path / "r")]
    assert main(["backtest", *files, *options, *outs, *until]) == 0
    assert (tmp_path / "w").read_text() == (tmp_path / "warnings.jsonl").read_text()
    assert (tmp_path / "s").read_text() == (tmp_path / "scores.jsonl").read_text()
    assert main(["backtest", *files, *options, *outs, "--until", "2024-02-30"]) == 2


def _leaves(node: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(node, list):
        return [leaf for index, value in enumerate(node) for leaf in _leaves(value, (*path, index))]
    return [path]


def _change(message: dict[str, object], path: tuple[object, ...]) -> None:
    at: object = message
    for step in path[:-1]:
        at = at[step]  # type: ignore[index]
    old = at[path[-1]]  # type: ignore[index]
    new = "2001-01-01T00:00:00Z" if path == ("time",) else f"{old}x" if isinstance(old, str) else 12_345
    at[path[-1]] = new  # type: ignore[index]
