"""`hearthwatch yield` over a file: what it prints, what it hides, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from casework.yields.counting import DIMENSIONS
from hearthwatch.cli import run
from hearthwatch.yields.words import WORDS
from tests.casework.cases.a_case import COMMUNITY, DAY, MONDAY, OTHER
from tests.casework.yields.a_district import ENDINGS, Family, opened

SMALL = "420106003006"


def families() -> Iterator[Family]:
    """Twelve families of one community, one of its neighbour, and four of another street."""
    for number in range(12):
        family = opened(f"Qx{number}", "hospital-bills", at=MONDAY + number * DAY)
        ENDINGS["helped" if number < 6 else "no need" if number < 9 else "waiting"](family)
        yield family
    alone = opened("Qy1", "out-of-work", community=SMALL, level="red", out_of_work="human-resources")
    ENDINGS["data wrong"](alone)
    yield alone
    for number in range(4):
        yield opened(f"Qz{number}", "out-of-work", community=OTHER, out_of_work="human-resources")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of both topics, every third event twice."""
    path = tmp_path_factory.mktemp("yield") / "log.jsonl"
    lines: list[bytes] = []
    for family in families():
        for number, record in enumerate(family.records):
            lines += [record, record] if number % 3 == 0 else [record]
        lines += family.warnings
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert run(["yield", *args]) == 0
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    found = json.loads(printed(capsys, *args, "--json"))
    assert isinstance(found, dict)
    return found


def counts(found: dict[str, Any], dimension: str, name: str = "warned") -> dict[str, int | None]:
    return {row["id"]: row["counts"][name] for row in found["by"][dimension]}


def test_the_table_has_the_total_and_a_row_for_each_of_what_is_asked(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "--from", str(log))
    assert "Each case counts once" in text
    (line,) = [line for line in text.splitlines() if line.startswith("warned ")]
    assert line.split()[:2] == ["warned", "17"]
    assert "need, of warned: 60 %, 6 of 10 (31-83 %)" in text
    assert "helped 6, no need found 3, data wrong 1" in text
    assert "data wrong, Housing Security and Management: found by staff 1" in text
    for heading in ("By indicator", "By department", "By community"):
        assert heading in text
    assert "By month" not in text
    assert "Large medical bills" in text
    assert "rows add up to more than the total" in text


def test_it_speaks_chinese(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--from", str(log), "--lang", "zh", "--by", "department")
    assert "确有困难" in text
    assert "卫生健康局" in text


def test_json_has_every_dimension_and_by_limits_them(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "--from", str(log))
    assert list(found["by"]) == list(DIMENSIONS)
    assert found["total"]["counts"]["warned"] == 17
    assert found["total"]["rates"]["need_of_warned"]["of"] == 10
    assert counts(found, "department") == {"health": 12, "human-resources": 5}
    found = told(capsys, "--from", str(log), "--by", "level", "--by", "month")
    assert list(found["by"]) == ["level", "month"]


def test_small_counts_of_communities_and_streets_are_hidden_with_what_tells_them(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "--from", str(log))
    # The neighbour's one is hidden, and so is its community's 12: the street's 13 would tell it.
    assert counts(found, "community") == {OTHER: 4, COMMUNITY: None, SMALL: None}
    assert [row["id"] for row in found["by"]["community"]] == [OTHER, COMMUNITY, SMALL]
    assert counts(found, "street") == {COMMUNITY[:9]: 13, OTHER[:9]: 4}
    (row,) = [row for row in found["by"]["community"] if row["id"] == SMALL]
    assert row["codes"] is None
    assert set(row["rates"].values()) == {None}
    assert counts(found, "indicator") == {"hospital-bills": 12, "out-of-work": 5}
    # What is hidden is the same whatever is asked for beside it.
    alone = told(capsys, "--from", str(log), "--by", "community")
    assert alone["by"]["community"] == found["by"]["community"]
    bare = told(capsys, "--from", str(log), "--small-cells")
    assert counts(bare, "community") == {COMMUNITY: 12, OTHER: 4, SMALL: 1}


def test_where_all_is_of_one_community_every_small_count_is_hidden(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "--from", str(log), "--community", SMALL)
    assert found["total"]["counts"]["warned"] is None
    assert not any(found["by"].values())  # that there is a row would tell
    assert found["withheld"] == list(DIMENSIONS)
    assert found["wrong_data"] == []
    text = printed(capsys, "--from", str(log), "--community", SMALL)
    assert "could speak of one family" in " ".join(text.split())
    bare = told(capsys, "--from", str(log), "--community", SMALL, "--small-cells")
    assert bare["total"]["counts"]["warned"] == 1


def test_a_close_code_of_one_family_is_hidden_with_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    families = [opened(f"Qc{number}", community=OTHER if number > 6 else COMMUNITY) for number in range(14)]
    endings = [*["no need"] * 3, *["deceased"] * 3, "refused", *["no need"] * 4, *["refused"] * 3]
    for family, ending in zip(families, endings, strict=True):
        ENDINGS[ending](family)
    path = tmp_path / "codes.jsonl"
    path.write_bytes(b"\n".join(record for family in families for record in family.records))
    shown = told(capsys, "--from", str(path))
    assert shown["total"]["codes"] == {"no-need": 7, "deceased": 3, "refused": 4}
    for row in shown["by"]["community"]:  # the neighbour's would tell it
        assert None not in row["counts"].values()
        assert row["codes"] is None
    row = told(capsys, "--from", str(path), "--small-cells")["by"]["community"][0]
    assert row["codes"] == {"no-need": 3, "deceased": 3, "refused": 1}


def test_days_of_opening_limit_it_and_nothing_is_said_to_be_nothing(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "--from", str(log), "--since", "2026-03-04", "--until", "2026-03-06")
    assert found["total"]["counts"]["warned"] == 3
    assert (found["since"], found["until"]) == ("2026-03-04", "2026-03-06")
    assert "No case was opened" in printed(capsys, "--from", str(log), "--since", "2027-01-01")


def test_no_household_stands_in_anything_that_comes_out(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    texts = [
        printed(capsys, "--from", str(log), "--html", str(page), "--small-cells"),
        printed(capsys, "--from", str(log), "--json", "--small-cells"),
        page.read_text("utf-8"),
    ]
    for text in texts:
        assert not [name for name in ("Qx", "Qy", "Qz") if name in text]


def test_a_page_goes_to_standard_output_alone(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "yield", "--from", "-", "--html", "-"],
        input=log.read_bytes(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"<!doctype html>")
    assert done.stdout.rstrip().endswith(b"</html>")


def test_lines_that_are_of_neither_topic_are_counted(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more.jsonl"
    long = Family("Ql")
    facts = [{"source": "/wuchang/health", "id": "e" * 200} for _ in range(1_000)]
    long.warn(1, because=[{"indicator": "hospital-bills", "dimension": "x", "points": 9, "facts": facts}])
    lines = [*long.records, *long.warnings, b'{"a": 1}', b"nonsense", b""]
    assert max(map(len, lines)) > 200_000
    more.write_bytes(log.read_bytes() + b"\n".join(lines))
    assert run(["yield", "--from", str(more), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["total"]["counts"]["warned"] == 18
    assert captured.err.strip() == "2 records are of neither topic, and were passed over."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "there is no case in it: it is empty. Expected the values of all records of `case.events`"),
        (b"name,income\nZhou,900\n", "none of its lines (2) is a record of `case.events` or `warnings`"),
        (b"name,income\nZhou,900\n", ": line 1 is not JSON"),
        (b'{"type": "work.job.lost"}\n', ": line 1 is of the type `work.job.lost`"),
        (b"{}", "line 1 has no `type`, `id` and `data` of an event"),
        (b"warnings", "12 of its 13 lines are records of these topics, and none is an event `case.opened`"),
    ],
)  # fmt: skip
def test_a_file_without_a_case_is_refused(
    text: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text == b"warnings":
        text = b"\n".join([b"{}", *[opened(f"Qw{number}").warnings[0] for number in range(12)]])
    path = tmp_path / "other.jsonl"
    path.write_bytes(text)
    assert run(["yield", "--from", str(path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{path}: " in said
    assert message in said
    assert "Zhou" not in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--since", "March"), "--since: `March` is no date: expected YYYY-MM-DD"),
        (("--until", "2026-02-30"), "--until: `2026-02-30` is no date"),
        (("--since", "2026-03-02", "--until", "2026-03-01"), "is after --until"),
        (("--community", "4201"), "`4201` is no code: expected 6, 9 or 12 digits"),
        (("--from", "nowhere.jsonl"), "nowhere.jsonl: cannot be read"),
        (("--html", "-", "--json"), "give the page a file"),
        (("--by", "household"), "'household' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_with_the_fix(
    args: tuple[str, ...], message: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = () if "--from" in args else ("--from", str(log))
    assert run(["yield", *source, *args]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_page_does_not_overwrite_what_is_read(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = log.read_bytes()
    assert run(["yield", "--from", str(log), "--html", str(log)]) == 2
    assert "is read by this command too" in capsys.readouterr().err
    assert log.read_bytes() == before


def test_a_broker_that_is_away_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    assert run(["yield"]) == 3
    assert "127.0.0.1:1" in capsys.readouterr().err


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    assert set(DIMENSIONS) <= WORDS["en"].keys()
