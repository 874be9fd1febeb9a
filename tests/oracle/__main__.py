"""The oracle's command line: ``python -m tests.oracle backtest | generate | compare``.

Examples:
    python -m tests.oracle backtest EVENTS.jsonl --catalog FILE --policy FILE --out W
    python -m tests.oracle generate --seed 7 --out DIR
    python -m tests.oracle compare --seeds 0:1000 --out DIR
    python -m tests.oracle compare --seeds 0:100 -- hearthwatch
    python -m tests.oracle compare DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.oracle import fuzz
from tests.oracle.backtest import Message, backtest
from tests.oracle.clock import parse_date
from tests.oracle.generate import generate, read_case


def write_lines(path: Path, messages: list[Message]) -> None:
    text = "".join(json.dumps(message) + "\n" for message in messages)
    path.write_text(text, encoding="utf-8")


def _backtest(options: argparse.Namespace) -> int:
    until = None
    if options.until is not None:
        until = parse_date(options.until)
        if until is None:
            print(f"--until {options.until}: expected YYYY-MM-DD", file=sys.stderr)
            return 2
    files = (options.catalog, options.policy, options.events)
    catalog, policy, events = (Path(file).read_bytes() for file in files)
    outputs = backtest(catalog, policy, events, until)
    for rejection in outputs.rejections[:20]:
        print(f"line {rejection['line']}: {rejection['reason']}: {rejection['message']}", file=sys.stderr)
    if len(outputs.rejections) > 20:
        print(f"and {len(outputs.rejections) - 20} more rejected lines", file=sys.stderr)
    write_lines(Path(options.out), outputs.warnings)
    if options.scores is not None:
        write_lines(Path(options.scores), outputs.scores)
    if options.rejections is not None:
        write_lines(Path(options.rejections), outputs.rejections)
    return 0


def _generate(options: argparse.Namespace) -> int:
    fuzz.write_case(generate(options.seed, options.size), Path(options.out))
    return 0


def _compare(options: argparse.Namespace) -> int:
    program = fuzz.command(options.command) if options.command else fuzz.in_process()
    different = compared = 0
    for name in options.folder:
        for events in sorted(Path(name).rglob("events.jsonl")):
            compared += 1
            difference = fuzz.difference_of(read_case(events.parent), program)
            if difference is not None:
                different += 1
                print(f"{events.parent}: {difference}")
    if options.seeds is not None:
        first, last = (int(text) for text in options.seeds.split(":"))
        compared += last - first
        for finding in fuzz.run_seeds(range(first, last), program, size=options.size):
            different += 1
            print(f"seed {finding.seed} ({len(finding.case.lines)} lines): {finding.difference}", flush=True)
            if options.out is not None:
                print(f"  kept in {fuzz.keep(finding, Path(options.out))}", flush=True)
    print(f"{compared} cases compared, {different} different")
    return 1 if different else 0


def main(arguments: list[str]) -> int:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="tests.oracle", description=__doc__, formatter_class=formatter)
    commands = parser.add_subparsers(dest="act", required=True)
    run = commands.add_parser("backtest", help="score a file of events")
    run.add_argument("events")
    for name in ("catalog", "policy", "out"):
        run.add_argument(f"--{name}", required=True)
    for name in ("scores", "rejections", "until"):
        run.add_argument(f"--{name}")
    draw = commands.add_parser("generate", help="draw a case, with what the oracle makes of it")
    draw.add_argument("--seed", type=int, required=True)
    draw.add_argument("--out", required=True)
    draw.add_argument("--size", type=int)
    compare = commands.add_parser("compare", help="the program against the oracle, over cases or seeds")
    compare.add_argument("folder", nargs="*", help="folders of cases")
    compare.add_argument("--seeds", help="FIRST:LAST (without the last)")
    compare.add_argument("--size", type=int, help="lines of a case")
    compare.add_argument("--out", help="where minimal cases are kept")
    before, after = arguments, []
    if "--" in arguments:  # the program's command; unless given, it is called in this process
        at = arguments.index("--")
        before, after = arguments[:at], arguments[at + 1 :]
    options = parser.parse_args(before)
    options.command = after
    return {"backtest": _backtest, "generate": _generate, "compare": _compare}[options.act](options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
