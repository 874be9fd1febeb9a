"""``hearthwatch case assist``: help on its way to a household."""

from __future__ import annotations

import click

from hearthwatch.cli.case_act import known_measure
from hearthwatch.cli.case_options import CASE, NOTE, Acting, acting
from hearthwatch.cli.case_send import send
from hearthwatch.cli.groups import Group
from hearthwatch.cli.options import Whole

_MEASURE = click.argument("measure")
_AMOUNT = click.option(
    "--amount-yuan", type=Whole(0, 10_000_000), metavar="N", help="How much, in whole yuan."
)


@click.group(cls=Group)
def assist() -> None:
    """Propose, approve and deliver measures of help; `hearthwatch measures list` has them all."""


@assist.command(epilog="Example: hearthwatch case assist propose H-1042-3 dibao --amount-yuan 910")
@CASE
@_MEASURE
@_AMOUNT
@NOTE
@acting
def propose(case: str, measure: str, amount_yuan: int | None, note: str | None, by: Acting) -> None:
    """Propose a MEASURE for the household of case ID, once it is assessed."""
    known_measure(measure)
    send(by, case, "propose", {"measure": measure, "amount_yuan": amount_yuan, "note": note})


@assist.command(epilog="Example: hearthwatch case assist approve H-1042-3 dibao --as sun --role street")
@CASE
@_MEASURE
@_AMOUNT
@NOTE
@acting
def approve(case: str, measure: str, amount_yuan: int | None, note: str | None, by: Acting) -> None:
    """Approve a MEASURE that somebody else proposed for case ID: street and district do."""
    known_measure(measure)
    send(by, case, "approve", {"measure": measure, "amount_yuan": amount_yuan, "note": note})


@assist.command(epilog="Example: hearthwatch case assist deliver H-1042-3 temporary-aid --under-commitment")
@CASE
@_MEASURE
@_AMOUNT
@click.option("--person", metavar="ID", help="To whom, where the measure is for one person of the household.")
@click.option(
    "--under-commitment",
    is_flag=True,
    help="At once, without approval: a commitment is signed, papers follow.",
)
@NOTE
@acting
def deliver(
    case: str,
    measure: str,
    amount_yuan: int | None,
    person: str | None,
    under_commitment: bool,
    note: str | None,
    by: Acting,
) -> None:
    """Put on record that a MEASURE has reached the household of case ID.

    It was approved, or the household committed itself (`hearthwatch case commit sign`). Where the book of
    cases says as what, it goes back to the score.
    """
    known_measure(measure)
    told = {
        "measure": measure, "amount_yuan": amount_yuan, "person": person,
        "under_commitment": under_commitment, "note": note,
    }  # fmt: skip
    send(by, case, "deliver", told)
