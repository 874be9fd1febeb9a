"""``hearthwatch doctor``: the whole chain, link by link."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from hearthwatch.counted import counted
from hearthwatch.settings import load_settings
from streams.errors import SettingsError

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(epilog="Example: hearthwatch doctor --json | jq '.checks[] | select(.status != \"ok\")'")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check settings, disk, Kafka, topics, Redis, clocks, catalogue and policy, and name what is wrong.

    Each finding comes with its fix. A record of a few bytes is written to the topic hearthwatch.doctor.
    Exit status 0 if nothing fails (warnings may be there), 1 otherwise.
    """
    from hearthwatch.checks import Finding, examine
    from hearthwatch.running import in_force

    findings: list[Finding] = []
    try:
        settings = in_force(load_settings())
    except SettingsError as error:
        findings = [Finding("settings", "fail", line, "correct it") for line in str(error).splitlines()]
        for finding in findings if not as_json else ():
            _print(finding)
    else:
        for finding in examine(settings):
            findings.append(finding)
            if not as_json:
                _print(finding)
    failed = sum(finding.status == "fail" for finding in findings)
    warned = sum(finding.status == "warn" for finding in findings)
    if as_json:
        click.echo(
            json.dumps(
                {"ok": not failed, "checks": [asdict(finding) for finding in findings]}, ensure_ascii=False
            )
        )
    else:
        click.echo(f"\n{counted(len(findings), 'check')}: {failed} failed, {warned} with a warning")
    click.get_current_context().exit(1 if failed else 0)


def _print(finding: object) -> None:
    from hearthwatch.checks import Finding

    assert isinstance(finding, Finding)
    status = click.style(f"{finding.status:5}", fg=_COLOURS[finding.status], bold=finding.status == "fail")
    first, *more = finding.message.splitlines()
    click.echo(f"{status} {finding.check:9} {first}")
    for line in more:
        click.echo(f"{'':16}{line}")
    if finding.fix:
        click.echo(f"{'':16}-> {finding.fix}")
