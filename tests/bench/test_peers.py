"""The comparison with peers counts right: its load, the toy policy, agreement of warnings, figures."""

from __future__ import annotations

import json
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bench.machine import CATALOG
from bench.peers import __main__ as command
from bench.peers import running, toy
from bench.peers.installing import REQUIREMENTS, Installed, InstallError, install
from bench.peers.load import PERSONS, Load, records
from bench.peers.picture import draw
from bench.peers.programs import PROGRAMS
from bench.peers.ratios import aims, ratios, with_valkey
from bench.peers.running import POLICY, ProgramError, compared, counted, expected, lines_of, windows_of
from rules import household as core
from rules.compile import compile_policy
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.records import Fact, decode_household_record

SMALL = Load.of(300)


def by_policy(load: Load) -> tuple[list[bytes], dict[str, core.Household]]:
    """The warnings of the policy ``toy.yaml``, and the households that are left."""
    catalog = read_catalog(CATALOG)
    rules = compile_policy(read_policy(POLICY, catalog), catalog)
    homes: dict[str, core.Household] = {}
    out = []
    for offset, (_, value) in enumerate(records(load)):
        message = decode_household_record(value)
        home = homes.get(message.household) or core.new(message.household)
        day = rules.calendar.day_of(message.received)
        homes[message.household], effects = core.step(home, message, rules=rules, day=day, offset=offset)
        out += effects
    return [effect.body for effect in out if isinstance(effect, core.Warning)], homes


def test_the_work_by_hand_is_the_toy_policy() -> None:
    wanted, means = expected(SMALL)
    warnings, homes = by_policy(SMALL)
    assert counted(warnings) == wanted
    assert {level for _, level in wanted} == {"yellow", "red"}
    assert 0 < means[0] < means[1]
    # Who compares what they cost should know that both keep as much.
    ours = sum(len(core.encode(home)) for home in homes.values()) / len(homes)
    assert 0.85 < means[1] / ours < 1.1


def test_a_plain_loop_over_the_sums_counts_as_many() -> None:
    paid: Counter[str] = Counter()
    count = 0
    for _, value in records(SMALL):
        fact = toy.message_of(value)
        if isinstance(fact, Fact):
            before = paid[fact.household]
            amount = fact.event.data["self_paid_yuan"]
            assert isinstance(amount, int)
            paid[fact.household] += amount
            levels = [sum(total >= line for line, _ in toy.LINES) for total in (before, paid[fact.household])]
            count += levels[1] > levels[0]
    assert count == expected(SMALL)[0].total()


def test_what_comes_again_changes_nothing() -> None:
    messages = [toy.message_of(value) for key, value in records(SMALL) if key == b"h-0000007"]
    home: bytes | None = None
    for message in messages[: PERSONS + 1]:
        home, _ = toy.step(home, message)
    assert isinstance(messages[PERSONS], Fact)
    for message in messages[: PERSONS + 1]:
        assert toy.step(home, message) == (home, None)


def test_the_load_is_the_same_bytes_each_time_and_people_come_first() -> None:
    first = list(records(SMALL))
    assert first == list(records(SMALL))
    assert len(first) == SMALL.records
    assert [isinstance(toy.message_of(value), Fact) for _, value in first].index(
        True
    ) == SMALL.households * PERSONS
    assert len({key for key, _ in first}) == SMALL.households


def test_windows_end_with_the_records_and_the_few_marks_lie_among_them() -> None:
    for load in (Load(), SMALL):
        assert load.marks[-1] == load.records
        assert load.marks == sorted(set(load.marks))
        assert load.arrivals < load.few_marks[0] < load.few_marks[-1] < load.records
    with pytest.raises(ValueError, match="no window"):
        _ = Load(households=10, bills=10, warm_up=25, window=10).marks


def test_a_warning_that_is_missing_more_or_at_another_level_does_not_agree() -> None:
    wanted = Counter({("h-1", "yellow"): 1, ("h-2", "red"): 1})
    assert compared(Counter(wanted), wanted)["agrees"]
    assert compared(Counter({("h-1", "yellow"): 1}), wanted) == {
        "warnings": 1, "expected": 2, "missing": 1, "unexpected": 0, "agrees": False,
    }  # fmt: skip
    twice = wanted + Counter({("h-1", "yellow"): 1})
    assert compared(twice, wanted)["unexpected"] == 1
    assert not compared(Counter({("h-1", "red"): 1, ("h-2", "red"): 1}), wanted)["agrees"]
    # Who has read the beginning only may lack some, and have none besides.
    assert compared(Counter({("h-1", "yellow"): 1}), wanted, is_part=True)["agrees"]
    assert not compared(twice, wanted, is_part=True)["agrees"]


def test_what_is_no_warning_is_told() -> None:
    with pytest.raises(ProgramError, match="no warning"):
        counted([b'{"id": "h-1-1"}'])


def test_figures_are_differences_between_marks() -> None:
    samples = [
        {"records": 100, "cpu": 1.0, "wall": 5.0},
        {"records": 300, "cpu": 1.003, "wall": 5.01},
        {"records": 400, "cpu": 1.004, "wall": 5.02},
    ]
    assert windows_of(samples) == [
        {"records": 200, "cpu_us": 15.0, "records_per_second": 20_000},
        {"records": 100, "cpu_us": 10.0, "records_per_second": 10_000},
    ]
    with pytest.raises(ProgramError):
        windows_of(samples[:1])


def test_a_program_s_own_words_are_passed_over() -> None:
    out = 'INFO up\n{"records": 5, "cpu": 0.1, "wall": 1}\n{not json}\n[1]\n{"done": true, "versions": {}}\n'
    assert [sorted(line) for line in lines_of(out)] == [["cpu", "records", "wall"], ["done", "versions"]]


def test_a_program_that_fails_is_told_with_its_last_words(tmp_path: Any) -> None:
    program = PROGRAMS[-1]
    with pytest.raises(ProgramError, match="ended with 3: out of order"):
        running.run_alone(program, ["sh", "-c", "echo out of order >&2; exit 3"], "", tmp_path)
    with pytest.raises(ProgramError, match="no word"):
        running.run_alone(program, ["sh", "-c", "echo '{\"records\": 1}'"], "", tmp_path)


def one(us: float, *, valkey: float = 0.0, agrees: bool = True) -> dict[str, Any]:
    """A program's figures."""
    spread = {"min": us, "median": us, "max": us, "of": 1}
    return {
        "title": f"Program at {us}", "durable": "yes", "cpu_us": spread, "records_per_second": spread,
        "servers_us": {"valkey": {"median": valkey}, "kafka": {"median": 1.0}}, "failures": [],
        "agreement": [{"warnings": 5, "expected": 5, "agrees": agrees}],
    }  # fmt: skip


def result(**programs: dict[str, Any]) -> dict[str, Any]:
    figures = {name.replace("_", "-"): figure for name, figure in programs.items()}
    return {
        "cpu": "A <CPU>", "date": "2026-01-02", "programs": figures,
        "load": {"households": 10, "records": 100, "warnings": 5},
        "ratios": ratios(figures), "aims": aims(figures),
    }  # fmt: skip


def test_ratios_count_valkey_and_aims_are_judged() -> None:
    made = result(
        hearthwatch=one(10.0, valkey=5.0), kafka_streams=one(25.0), quix=one(15.0), faust=one(300.0)
    )
    assert with_valkey(made["programs"]["hearthwatch"])["median"] == 15.0
    assert made["ratios"]["kafka-streams"] == {
        "least": 2.5,
        "median": 2.5,
        "greatest": 2.5,
        "with_valkey": 1.7,
    }
    assert [line["met"] for line in made["aims"]] == [True, True, False, True]
    assert aims({"hearthwatch": one(14.1)})[0]["met"] is False
    assert ratios({"quix": one(1.0)}) == {}


def test_the_command_fails_where_programs_disagree_or_fail_but_not_where_one_cannot_be_installed() -> None:
    ours = one(10.0)
    assert command.agrees(
        result(hearthwatch=ours, quix={"title": "Quix", "durable": "", "left_out": "no pip"})
    )
    assert not command.agrees(
        result(hearthwatch=ours, quix={"title": "Quix", "durable": "", "failed": "ended"})
    )
    assert not command.agrees(result(hearthwatch=ours, quix=one(20.0, agrees=False)))
    assert not command.agrees(result(hearthwatch=ours | {"failures": ["the second round ended"]}))


def test_it_is_shown_and_drawn_with_what_was_left_out() -> None:
    made = result(
        hearthwatch=one(10.0, valkey=4.0),
        kafka_streams=one(12.0),
        faust=one(300.0),
        bytewax={"title": "Bytewax", "durable": "in SQLite", "left_out": "no wheel"},
    )
    root = ET.fromstring(draw(made))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Program at 10.0", "Program at 300.0", "Bytewax", "left out"} <= set(texts)
    assert "10.0 (14.0 with Valkey)" in texts
    assert "300.0 = 30.0 x ours" in texts
    widths = [float(bar.get("width", 0)) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert max(widths[1:]) < widths[0]  # the cut bar stays in the picture


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_every_name_and_figure_whole(width: int) -> None:
    made = result(hearthwatch=one(10.0, valkey=4.0), faust=one(1_298.7), quix=one(24.8, agrees=False))
    titles = ["the same work by hand, on its engine", "Kafka Streams, expert, in memory", "Quix Streams, 1 s"]
    for title, figure in zip(titles, made["programs"].values(), strict=True):
        figure["title"] = title
        figure["records_per_second"] = {"median": 123_456.0}
    made["aims"] = []
    shown = StringIO()
    command.show(made, Console(file=shown, width=width))
    text = shown.getvalue()
    table = text[: text.index("Quix Streams, 1 s: 5 warnings, not 5")]
    assert "…" not in text
    assert {word for title in titles for word in title.split()} <= set(table.split())
    assert {"10.0", "1298.7", "129.9", "123,456"} <= set(table.split())
    assert max(map(len, text.splitlines())) <= width
    if width == 120:
        assert all(title in table for title in titles)


def test_both_ways_of_kafka_streams_are_named_and_started_by_their_own_classes() -> None:
    programs = {program.name: program for program in PROGRAMS}
    order = {
        "kafka": "k",
        "facts": "f",
        "warnings": "w",
        "group": "g",
        "folder": "d",
        "records": 9,
        "marks": [1],
    }
    installed = Installed(Path("python"), "classes")
    for name, java, words in (
        ("kafka-streams", "hearthwatch.peers.Peer", ["hand-written", "256 MB"]),
        ("kafka-streams-documented", "hearthwatch.peers.Documented", ["Jackson", "no cache"]),
    ):
        arguments, _ = programs[name].command(installed, order)
        assert java in arguments
        assert all(word in programs[name].about for word in words)
    assert programs["kafka-streams"].times == programs["kafka-streams-documented"].times == 2.0


def test_a_peer_that_cannot_be_installed_is_named_with_the_reason(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    got = install(lambda what: None, ["kafka-streams", "kafka-streams-rocksdb"], tmp_path)
    assert isinstance(got, Installed)
    assert set(got.missing) == {"kafka-streams", "kafka-streams-rocksdb"}
    assert all("Java 17" in why for why in got.missing.values())

    def fail(*args: object) -> None:
        raise InstallError("pip ended with 1")

    monkeypatch.setattr("bench.peers.installing._venv", fail)
    assert install(lambda what: None, ["quix", "bytewax"], tmp_path).missing == {
        "quix": "pip ended with 1",
        "bytewax": "pip ended with 1",
    }


def test_requirements_are_pinned_with_hashes_and_name_no_index() -> None:
    text = REQUIREMENTS.read_text("utf-8")
    assert "--index" not in text
    assert "http" not in "".join(
        line for line in text.splitlines() if not line.lstrip().startswith("#")
    ).replace("httpx", "").replace("httpcore", "")
    blocks = [block for block in text.split("\n") if block and block[0].isalnum()]
    assert blocks
    assert all("==" in block for block in blocks)
    assert text.count("--hash=sha256:") >= len(blocks)


@pytest.mark.timeout(180)
def test_our_stage_sends_what_a_plain_loop_does(tmp_path: Any) -> None:
    ours = [program for program in PROGRAMS if program.name == "hearthwatch"]
    made = command.run(ours, SMALL, 1, Console(file=StringIO()), folder=tmp_path)
    assert command.agrees(made)
    (agreement,) = made["programs"]["hearthwatch"]["agreement"]
    assert agreement["warnings"] == agreement["expected"] > 0
    assert json.loads(json.dumps(made)) == made
    command.show(made, Console(file=StringIO(), width=150))
