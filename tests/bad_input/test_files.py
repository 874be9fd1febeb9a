"""Faulty policies and catalogues, files that are none, servers that are not there: one clear line each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.local import free_ports
from hearthwatch.settings import load_settings
from tests.bad_input.running import Program, settings_file

PACKAGED = load_settings()
STORIES = Path(__file__).parents[2] / "examples" / "stories"


def changed(source: Path, to: Path, *replacements: tuple[str, str]) -> Path:
    """A copy of a file with some texts replaced."""
    text = source.read_text("utf-8")
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new, 1)
    to.write_text(text, "utf-8")
    return to


def faults(stderr: str, path: Path) -> list[str]:
    """The lines that name a place in a file."""
    return [line for line in stderr.splitlines() if line.startswith(f"{path}:")]


@pytest.fixture
def three_mistakes(tmp_path: Path) -> Path:
    return changed(
        PACKAGED.policy,
        tmp_path / "policy.yaml",
        ("dimension: health\n", "dimension: helth\n"),
        ("measure: count\n", "measure: cuont\n"),
        ("timezone: Asia/Shanghai", "timezone: Asia/Shanghia"),
    )


def test_a_policy_with_three_mistakes_names_all_three(unstarted: Program, three_mistakes: Path) -> None:
    done = unstarted.run("policy", "check", str(three_mistakes))
    assert done.returncode == 2
    found = faults(done.stderr, three_mistakes)
    assert len(found) == 3
    for hint in ("`Asia/Shanghai`", "`count`", "`health`"):
        assert f"did you mean {hint}?" in done.stderr


@pytest.mark.parametrize("command", ["backtest", "up"])
def test_a_faulty_policy_is_never_half_used(unstarted: Program, three_mistakes: Path, command: str) -> None:
    events = unstarted.folder / "events.jsonl"
    events.write_bytes(b"")
    arguments = {
        "backtest": [str(events), "--catalog", str(PACKAGED.catalog), "--out", "warnings.jsonl"],
        "up": [],
    }[command]
    done = unstarted.run(command, *arguments, "--policy", str(three_mistakes))
    assert done.returncode == 2
    assert len(faults(done.stderr, three_mistakes)) == 3
    assert not (unstarted.folder / "warnings.jsonl").exists()


def test_a_catalogue_that_lost_a_type_in_use_is_named_where_it_is_used(
    unstarted: Program, tmp_path: Path
) -> None:
    catalog = changed(
        PACKAGED.catalog,
        tmp_path / "catalog.yaml",
        ("  - type: health.illness.diagnosed\n", "  - type: health.illness.suspected\n"),
    )
    used = PACKAGED.policy.read_text("utf-8").count("health.illness.diagnosed")
    assert used > 0
    for command in (["policy", "check", "--catalog", str(catalog)], ["up", "--catalog", str(catalog)]):
        done = unstarted.run(*command)
        assert done.returncode == 2, command
        found = faults(done.stderr, PACKAGED.policy)
        assert found
        assert all("health.illness.diagnosed" in fault for fault in found)


def test_a_running_program_refuses_another_catalogue_and_goes_on(program: Program, tmp_path: Path) -> None:
    """Whether or not the workers run: the data belongs to the catalogue that it was made with."""
    catalog = changed(PACKAGED.catalog, tmp_path / "catalog.yaml", ("version: 1\n", "version: 2\n"))
    done = program.run("up", "--detach", "--catalog", str(catalog))
    assert done.returncode != 0
    assert "hearthwatch" in done.stderr
    assert "Traceback" not in done.stderr
    program.good("status")


@pytest.mark.parametrize("command", ["publish", "backtest"])
@pytest.mark.parametrize("what", ["a directory", "a missing file"])
def test_a_file_that_is_none_is_one_clear_line(unstarted: Program, command: str, what: str) -> None:
    path = unstarted.folder if what == "a directory" else unstarted.folder / "nowhere.jsonl"
    done = unstarted.run(command, str(path), *_more(command))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{path}: ")


def test_an_empty_file_publishes_nothing_and_says_so(program: Program) -> None:
    empty = program.folder / "empty.jsonl"
    empty.write_bytes(b"")
    done = program.run("publish", str(empty))
    assert done.returncode == 0
    assert done.stderr.strip() == f"{empty}: is empty: nothing to publish"


def test_an_empty_file_backtests_to_nothing(unstarted: Program) -> None:
    empty = unstarted.folder / "empty.jsonl"
    empty.write_bytes(b"")
    done = unstarted.run("backtest", str(empty), *_more("backtest"))
    assert done.returncode == 0
    assert (unstarted.folder / "warnings.jsonl").read_bytes() == b""


@pytest.mark.parametrize("option", ["--out", "--scores", "--rejections"])
@pytest.mark.parametrize("over", ["events", "a link to them", "catalogue", "policy"])
def test_a_backtest_never_writes_over_what_it_reads(unstarted: Program, option: str, over: str) -> None:
    folder = unstarted.folder
    events, linked = folder / "events.jsonl", folder / "linked.jsonl"
    events.write_bytes(b"{}\n")
    linked.hardlink_to(events)
    catalog = changed(PACKAGED.catalog, folder / "catalog.yaml")
    policy = changed(PACKAGED.policy, folder / "policy.yaml")
    target = {"events": events, "a link to them": linked, "catalogue": catalog, "policy": policy}[over]
    before = target.read_bytes()
    options = {"--catalog": str(catalog), "--policy": str(policy), "--out": "warnings.jsonl"}
    options[option] = str(target)
    done = unstarted.run("backtest", str(events), *(word for pair in options.items() for word in pair))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{option}: `")
    assert target.read_bytes() == before
    assert not (folder / "warnings.jsonl").exists()


def test_a_backtest_never_writes_two_things_into_one_file(unstarted: Program) -> None:
    (unstarted.folder / "events.jsonl").write_bytes(b"{}\n")
    done = unstarted.run("backtest", "events.jsonl", *_more("backtest"), "--scores", "./warnings.jsonl")
    assert done.returncode == 2
    assert (
        done.stderr.strip() == "--scores: `warnings.jsonl` is written by this command too: name another file"
    )


@pytest.mark.parametrize("option", ["--out", "--scores", "--rejections"])
def test_a_full_disk_is_one_clear_line(unstarted: Program, option: str) -> None:
    events = unstarted.folder / "events.jsonl"
    assert unstarted.run("story", "events", str(STORIES), "--out", str(events)).returncode == 0
    with events.open("ab") as file:
        file.write(b"{}\n")
    words = _more("backtest")
    words = [*words[:-1], "/dev/full"] if option == "--out" else [*words, option, "/dev/full"]
    done = unstarted.run("backtest", str(events), *words)
    assert done.returncode == 2
    told = [line for line in done.stderr.splitlines() if not line.startswith("line ")]
    assert told == ["/dev/full: cannot be written: No space left on device"]


def test_lines_go_to_standard_output_on_request(unstarted: Program) -> None:
    told = unstarted.run("story", "events", str(STORIES), "--out", "-")
    events = unstarted.folder / "events.jsonl"
    events.write_text(told.stdout, "utf-8")
    words = _more("backtest")
    warnings = unstarted.run("backtest", str(events), *words[:-1], "-")
    assert unstarted.run("backtest", str(events), *words).returncode == 0
    assert warnings.stdout
    assert warnings.stdout == (unstarted.folder / "warnings.jsonl").read_text("utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ["publish", "events.jsonl"],
        ["topics", "describe"],
        ["topics", "create"],
        ["watch"],
        ["deadletters", "list"],
        ["household", "show", "h1"],
        ["tick", "--until", "2026-01-01", "--timeout", "5"],
        ["ledger", "show"],
        ["log", "export", "--household", "h1"],
        ["rebuild"],
    ],
    ids=" ".join,
)
def test_a_broker_that_is_not_there_is_one_clear_line(unstarted: Program, command: list[str]) -> None:
    events = unstarted.folder / "events.jsonl"
    events.write_bytes(b'{"source":"/wuchang/health"}\n')
    done = unstarted.run(*command)
    assert done.returncode == 3
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert "127.0.0.1:1" in lines[0]
    assert "`hearthwatch local up`" in lines[0]
    assert events.read_bytes() == b'{"source":"/wuchang/health"}\n'


# -- before anything is started, or anybody is asked ------------------------------------------------------
def test_up_checks_every_file_and_starts_nothing(tmp_path: Path) -> None:
    kafka, controller, valkey = free_ports(3)
    routes, book, tokens = (tmp_path / name for name in ("routes.yaml", "book.yaml", "tokens.json"))
    config = settings_file(
        tmp_path,
        data_dir=str(tmp_path / "data"),
        kafka_port=kafka,
        kafka_controller_port=controller,
        valkey_port=valkey,
        routes=str(routes),
        casebook=str(book),
    )
    program = Program(tmp_path, config)
    routes.write_text("routes: x\nversion: 1\nchanels: {}\n", "utf-8")
    book.write_text("casework: x\n", "utf-8")
    done = program.run("up", "--detach")
    assert done.returncode == 2
    assert "routes.yaml:3:1: " in done.stderr
    assert "book.yaml:1:1: " in done.stderr
    assert "Traceback" not in done.stderr
    status = program.run("local", "status", "--json")
    assert {one["state"] for one in json.loads(status.stdout)["servers"].values()} == {"stopped"}
    assert list((tmp_path / "data").glob("**/*.log")) == []
    tokens.write_text("{}", "utf-8")
    with config.open("a") as file:
        file.write(f'tokens = "{tokens}"\n')
    done = program.run("up", "--detach")
    assert done.returncode == 2
    assert f"{tokens}: is no token file" in done.stderr
    assert "routes.yaml:3:1: " in done.stderr


_ANNA = ("--as", "anna", "--role", "community", "--communities", "420106003005")


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (("assist", "propose", "H-1-1", "dibau"), "unknown measure `dibau`: did you mean `dibao`?"),
        (("assess", "H-1-1", "--level", "sever"), "unknown level `sever`: did you mean `severe`?"),
        (("assess", "H-1-1", "--level", "severe", "--cause", "ilness"), "unknown cause `ilness`: did"),
        (("refer", "H-1-1", "--to", "union", "--measure", "dibau"), "unknown measure `dibau`"),
        (("close", "H-1-1", "--code", "data-wrong", "--source", "helth"), "unknown department `helth`"),
        (
            ("visit", "H-1-1", "--outcome", "met", "--finding", "x", "person/P", "{}"),
            "unknown type of event `x`: `hearthwatch catalog list` has them all",
        ),
        (
            ("visit", "H-1-1", "--outcome", "met", "--finding", "income.earnings.assessed", "person/P",
             '{"monthly_yuan": -1}'),
            "--finding: $.data.monthly_yuan: expected",
        ),
        (("refer", "H-1-1", "--to", "The Union"), "--to: "),
        (("ack", "H-1-1", "--at", "yesterday"), "--at is for `clock: log`"),
    ],
    ids=lambda one: " ".join(one)[:40] if isinstance(one, tuple) else "",
)  # fmt: skip
def test_what_is_typed_about_a_case_is_checked_without_a_broker(
    unstarted: Program, command: tuple[str, ...], fault: str
) -> None:
    done = unstarted.run("case", *command, *_ANNA)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(fault)
    assert len(done.stderr.splitlines()) == 1


def test_what_is_right_about_a_case_needs_a_broker(unstarted: Program) -> None:
    done = unstarted.run("case", "assist", "propose", "H-1-1", "dibao", *_ANNA)
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr


def test_all_that_is_missing_of_who_acts_is_told_at_once(unstarted: Program) -> None:
    done = unstarted.run("case", "ack", "H-1-1", "--role", "community")
    assert done.returncode == 2
    assert "missing: --as STAFF (or HEARTHWATCH_STAFF), --communities CODES (or HEARTH" in done.stderr
    assert "--as anna --role community --communities 420106003005" in done.stderr
    assert done.stderr.count("Error:") == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_api_without_a_broker_says_so_in_one_line(unstarted: Program, form: str) -> None:
    tokens = unstarted.folder / "tokens.json"
    with unstarted.config.open("a") as file:
        file.write(f'tokens = "{tokens}"\napi_port = 0\nlog_format = "{form}"\n')
    unstarted.good("token", "add", "a", "--role", "auditor", "--community", "420106")
    done = unstarted.run("api")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in done.stderr


def test_the_api_without_tokens_says_how_a_first_one_is_made(unstarted: Program) -> None:
    done = unstarted.run("api")
    assert done.returncode == 2
    assert "export HEARTHWATCH_TOKENS=" in done.stderr
    assert "hearthwatch token add " in done.stderr


def _more(command: str) -> list[str]:
    if command != "backtest":
        return []
    return ["--catalog", str(PACKAGED.catalog), "--policy", str(PACKAGED.policy), "--out", "warnings.jsonl"]
