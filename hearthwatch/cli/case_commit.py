"""``hearthwatch case commit``: notification and commitment, step by step."""

from __future__ import annotations

from typing import Any

import click

from hearthwatch.cli.case_options import CASE, Acting, acting
from hearthwatch.cli.case_send import send
from hearthwatch.cli.groups import Group

_PAPERS = click.option(
    "--paper", "papers", metavar="TEXT", multiple=True, help="What is to be brought; repeatable."
)
_REASON = click.option("--reason", metavar="TEXT", required=True, help="Why.")


@click.group(cls=Group)
def commit() -> None:
    """Notification and commitment: the household signs what is true, help follows at once, papers come later.

    offer, sign, then `hearthwatch case assist deliver --under-commitment`, then fulfil. A commitment that is
    broken suspends what was given under it.
    """


@commit.command(
    epilog="Example: hearthwatch case commit offer H-1042-3 --paper 'Identity cards' --paper 'Bills'"
)
@CASE
@_PAPERS
@acting
def offer(case: str, papers: tuple[str, ...], by: Acting) -> None:
    """Tell the household of case ID that help may come before its papers."""
    _step(by, case, "offer", papers=papers)


@commit.command(
    epilog="Example: hearthwatch case commit sign H-1042-3 --allows-checks --paper 'Hospital bills'"
)
@CASE
@_PAPERS
@click.option("--allows-checks", is_flag=True, help="The applicant allows departments to be asked; needed.")
@acting
def sign(case: str, papers: tuple[str, ...], allows_checks: bool, by: Acting) -> None:
    """Put on record that the applicant of case ID signed what is true.

    Papers are named here or with the offer.
    """
    if not allows_checks:
        raise click.UsageError("nothing is signed without the applicant allowing checks: --allows-checks")
    _step(by, case, "sign", papers=papers, allows_checks=True)


@commit.command(epilog="Example: hearthwatch case commit fulfil H-1042-3")
@CASE
@acting
def fulfil(case: str, by: Acting) -> None:
    """Put on record that the papers of case ID came."""
    _step(by, case, "fulfil")


@commit.command(
    "break", epilog="Example: hearthwatch case commit break H-1042-3 --reason 'the flat is not theirs'"
)
@CASE
@_REASON
@acting
def break_(case: str, reason: str, by: Acting) -> None:
    """End the commitment of case ID: what was signed is not true.

    Street and district do. Help under it is suspended.
    """
    _step(by, case, "break", reason=reason)


@commit.command(
    epilog="Example: hearthwatch case commit waive H-1042-3 --reason 'the departments know it already'"
)
@CASE
@_REASON
@acting
def waive(case: str, reason: str, by: Acting) -> None:
    """Let the papers of case ID go: they are not needed.

    Street and district do.
    """
    _step(by, case, "waive", reason=reason)


def _step(by: Acting, case: str, step: str, papers: tuple[str, ...] = (), **more: Any) -> None:
    send(by, case, "commit", {"step": step, "papers": list(papers), **more})
