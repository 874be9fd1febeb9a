"""``python -m tests.oracle backtest | generate | compare``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.oracle.backtest import backtest
from tests.oracle.clock import parse_date


def _write(path: str | None, messages: list[dict[str, Any]]) -> None:
    if path is not None:
        text = "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages)
        Path(path).write_text(text, encoding="utf-8")


def _backtest(options: argparse.Namespace) -> int:
    until = None
    if options.until is not None:
        until = parse_date(options.until)
        if until is None:
            print(f"--until {options.until}: expected YYYY-MM-DD", file=sys.stderr)
            return 2
    outputs = backtest(
        Path(options.catalog).read_bytes(),
        Path(options.policy).read_bytes(),
        Path(options.events).read_bytes(),
        until,
    )
    for rejection in outputs.rejections[:20]:
        print(f"line {rejection['line']}: {rejection['reason']}: {rejection['message']}", file=sys.stderr)
    if len(outputs.rejections) > 20:
        print(f"and {len(outputs.rejections) - 20} more rejected lines", file=sys.stderr)
    _write(options.out, outputs.warnings)
    _write(options.scores, outputs.scores)
    _write(options.rejections, outputs.rejections)
    return 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("backtest", help="score a file of events")
    run.add_argument("events")
    for name in ("catalog", "policy", "out"):
        run.add_argument(f"--{name}", required=True)
    for name in ("scores", "rejections", "until"):
        run.add_argument(f"--{name}")
    run.set_defaults(act=_backtest)
    options = parser.parse_args(arguments)
    return int(options.act(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
