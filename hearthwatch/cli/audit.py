"""``hearthwatch audit``: who looked at what and changed it, and whether that record is whole."""

from __future__ import annotations

import json
import re
from collections import deque

import click
import orjson
from rich.table import Table

from hearthwatch.audit_log import Recorded, is_wanted, read_audit
from hearthwatch.cli.groups import Group
from hearthwatch.cli.options import Whole
from hearthwatch.connections import kafka_connection
from hearthwatch.screen import wide_console
from hearthwatch.settings import load_settings
from streams.audit import Anchor, Check, as_plain
from streams.errors import InputError
from streams.timestamps import format_timestamp


@click.group(cls=Group)
def audit() -> None:
    """See who looked at households and cases and changed them, and whether that record is whole."""


@audit.command(
    name="list", epilog="Example: hearthwatch audit list --household H-1042 --json | jq .entry.who"
)
@click.option("--household", metavar="ID", help="Only what was of this household, alone or in a list.")
@click.option("--case", metavar="ID", help="Only what was of this case.")
@click.option("--actor", metavar="NAME", help="Only what this person or program did.")
@click.option("--kind", type=click.Choice(["read", "change"]), help="Only reads, or only changes.")
@click.option("--limit", type=Whole(min=1), default=100, show_default=True, help="The latest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    household: str | None, case: str | None, actor: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List the audit log, the latest last."""
    check = Check()
    kept: deque[Recorded] = deque(maxlen=limit)
    for one in read_audit(kafka_connection(load_settings()), check):
        if is_wanted(one, household=household, case=case, actor=actor, kind=kind):
            kept.append(one)
    if check.faults:
        click.echo("The log is not whole: see `hearthwatch audit verify`.", err=True)
    if as_json:
        for one in kept:
            assert one.record is not None
            line = {"offset": one.offset, "broker_time": _time(one.timestamp_ms), **as_plain(one.record)}
            click.echo(orjson.dumps(line))
        return
    table = Table(
        "time", "who", "role", "what", "of", "rows", "result", "by", "why", box=None, pad_edge=False
    )
    for one in kept:
        assert one.record is not None
        entry = one.record.entry
        of = entry.case or ", ".join(entry.households[:3]) + (" ..." if len(entry.households) > 3 else "")
        who = ("-", "-") if entry.who is None else (entry.who.id, entry.who.role)
        table.add_row(
            _time(one.timestamp_ms), *who, f"{entry.kind} {entry.what}", of, str(entry.rows), entry.result,
            entry.by, entry.why,
        )  # fmt: skip
    wide_console().print(table if kept else "Nothing of that kind is on record.")


@audit.command(epilog="Example: hearthwatch audit verify --head 1041:9f86d081884c7d65...")
@click.option(
    "--head",
    metavar="OFFSET:SHA256",
    help="A head that this command showed earlier and that was noted elsewhere; it has to stand there still.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def verify(context: click.Context, head: str | None, as_json: bool) -> None:
    """Follow the chain of the whole audit log, and name every record that does not fit.

    Exit status 1 if one does not. Note the head that is shown, outside of Kafka: who rewrites the whole log
    on the broker's disk can reckon all hashes anew, but not to that head.
    """
    noted = _head(head)
    check = Check()
    deque(read_audit(kafka_connection(load_settings()), check), maxlen=0)
    stands = noted is None or check.stands(noted)
    good = stands and not check.faults
    if as_json:
        report = {
            "is_whole": good,
            "records": check.records,
            "writers": len(check.writers),
            "head": None
            if check.head is None
            else {"offset": check.head.offset, "sha256": check.head.sha256},
            "noted_head_stands": None if noted is None else stands,
            "faults": [{"offset": one.offset, "message": one.message} for one in check.faults],
        }
        click.echo(json.dumps(report, indent=2))
    else:
        for one in check.faults[:50]:
            click.echo(f"audit record {one.offset}: {one.message}", err=True)
        if len(check.faults) > 50:
            click.echo(f"(and {len(check.faults) - 50} more)", err=True)
        if not stands:
            click.echo(f"the head {head} does not stand there any more: the log was written anew", err=True)
        told = "whole" if good else "NOT whole"
        click.echo(f"{check.records} records of {len(check.writers)} writers: the log is {told}.")
        if check.head is not None:
            click.echo(f"Head: {check.head.offset}:{check.head.sha256}")
    context.exit(0 if good else 1)


def _head(text: str | None) -> Anchor | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)
    if found is None:
        raise InputError("--head: expected OFFSET:SHA256 as `hearthwatch audit verify` shows it")
    return Anchor(int(found[1]), found[2])


def _time(milliseconds: int) -> str:
    return format_timestamp(milliseconds * 1_000)
