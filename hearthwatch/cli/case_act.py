"""What staff do with a case: acknowledge, assign, visit, assess, refer, comment, close, reopen."""

from __future__ import annotations

import json
from typing import Any, get_args

import click

from casework.cases.book import Book
from casework.cases.case import CloseCode, Outcome
from casework.cases.commands import Finding
from casework.cases.feedback import Refused, of_visit
from hearthwatch.cli.case_options import CASE, NOTE, Acting, acting
from hearthwatch.cli.case_send import book_here, held_to_catalog, send
from hearthwatch.cli.case_words import known
from streams.errors import InputError


@click.command(
    epilog="Example: hearthwatch case ack H-1042-3 --as anna --role community --communities 420106003005"
)
@CASE
@NOTE
@acting
def ack(case: str, note: str | None, by: Acting) -> None:
    """Acknowledge case ID: somebody answers for it, and its alert is answered.

    Who acknowledges first becomes its officer.
    """
    send(by, case, "acknowledge", {"note": note})


@click.command(epilog="Example: hearthwatch case assign H-1042-3 --to bo --note 'speaks their dialect'")
@CASE
@click.option("--to", metavar="STAFF", required=True, help="To whom.")
@NOTE
@acting
def assign(case: str, to: str, note: str | None, by: Acting) -> None:
    """Give case ID to somebody: they are its officer."""
    send(by, case, "assign", {"to": to, "note": note})


@click.command(
    epilog="Example: hearthwatch case visit H-1042-3 --outcome met"
    " --finding income.earnings.assessed person/P-7 '{\"monthly_yuan\": 800}'"
)
@CASE
@click.option("--outcome", type=click.Choice(get_args(Outcome)), required=True, help="What came of it.")
@click.option(
    "--finding",
    "findings",
    type=(str, str, str),
    metavar="TYPE SUBJECT JSON",
    multiple=True,
    help="A fact that was seen: type, subject and data of an event of the catalogue; goes back to the score.",
)
@NOTE
@acting
def visit(
    case: str, outcome: str, findings: tuple[tuple[str, str, str], ...], note: str | None, by: Acting
) -> None:
    """Put a visit of case ID on record: what came of it, and what was seen.

    A visit that met nobody (absent) leaves the visit's deadline running. Findings are checked by the
    catalogue before anything is sent (`hearthwatch catalog list` has its types).
    """
    found = [_finding(*one) for one in findings]
    if found:
        held_to_catalog(lambda book: _check_findings(book, case, found))
    send(by, case, "visit", {"outcome": outcome, "findings": found, "note": note})


@click.command(
    epilog="Example: hearthwatch case assess H-1042-3 --level severe --cause illness --cause income-lost"
)
@CASE
@click.option(
    "--level", metavar="LEVEL", required=True, help="How hard it is: a difficulty of the book of cases."
)
@click.option(
    "--cause",
    "causes",
    metavar="CAUSE",
    multiple=True,
    help="Why: a cause of the catalogue of assistance (`hearthwatch measures list`); repeatable.",
)
@NOTE
@acting
def assess(case: str, level: str, causes: tuple[str, ...], note: str | None, by: Acting) -> None:
    """Assess case ID: how hard it is for the household, and why. A visit has to have met it.

    Goes back to the score; assessed again, it is revised.
    """
    book = book_here()
    known("level", level, book.difficulties)
    if book.assistance is not None:
        for cause in causes:
            known("cause", cause, book.assistance.causes)
    send(by, case, "assess", {"level": level, "causes": list(dict.fromkeys(causes)), "note": note})


@click.command(
    epilog="Example: hearthwatch case refer H-1042-3 --to disabled-federation --measure job-placement"
)
@CASE
@click.option(
    "--to", metavar="NAME", required=True, help="Department or organisation, in small letters and hyphens."
)
@click.option("--measure", metavar="MEASURE", help="For what: a measure of the catalogue of assistance.")
@NOTE
@acting
def refer(case: str, to: str, measure: str | None, note: str | None, by: Acting) -> None:
    """Send the household of case ID to a department or an organisation; it stands in the record."""
    if measure is not None:
        known_measure(measure)
    send(by, case, "refer", {"to": to, "measure": measure, "note": note})


@click.command(epilog="Example: hearthwatch case comment H-1042-3 'The daughter comes back on Sunday'")
@CASE
@click.argument("text")
@acting
def comment(case: str, text: str, by: Acting) -> None:
    """Put TEXT on the record of case ID, open or closed. Policy staff may too."""
    send(by, case, "comment", {"text": text})


@click.command(
    epilog="Example: hearthwatch case close H-1042-3 --code data-wrong --source health --note 'a namesake'"
)
@CASE
@click.option("--code", type=click.Choice(get_args(CloseCode)), required=True, help="Why: exactly one.")
@click.option("--source", metavar="DEPARTMENT", help="With data-wrong: whose data were.")
@click.option("--duplicate-of", metavar="ID", help="With duplicate: the other case of the family.")
@NOTE
@acting
def close(
    case: str, code: str, source: str | None, duplicate_of: str | None, note: str | None, by: Acting
) -> None:
    """Close case ID with a code; docs/reference/cases.md says what each needs.

    helped: help was delivered and stands, and no papers are due. helped-already, no-need: a visit met the
    household, and no help of the case stands. refused: it was visited. moved-away, deceased, data-wrong: it
    was acknowledged. duplicate: any time; of the highest level before a visit, by the street or the district.
    """
    for option, value, goes_with in (
        ("--source", source, "data-wrong"),
        ("--duplicate-of", duplicate_of, "duplicate"),
    ):
        if (value is not None) != (code == goes_with):
            raise click.UsageError(f"{option} goes with --code {goes_with}, and that needs it")
    if source is not None:
        held_to_catalog(lambda book: _known_department(book, source))
    told = {"code": code, "source": source, "duplicate_of": duplicate_of, "note": note}
    send(by, case, "close", told)


@click.command(epilog="Example: hearthwatch case reopen H-1042-3 --reason 'the aid was not paid out'")
@CASE
@click.option("--reason", metavar="TEXT", required=True, help="Why it goes on.")
@acting
def reopen(case: str, reason: str, by: Acting) -> None:
    """Let closed case ID go on: the one closed last, while the household has no open one."""
    send(by, case, "reopen", {"reason": reason})


def known_measure(measure: str) -> None:
    """Check a measure against the catalogue of assistance.

    Raises:
        InputError: it does not stand there.
    """
    assistance = book_here().assistance
    if assistance is not None:
        known("measure", measure, assistance.measures)


def _finding(type: str, subject: str, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InputError(f"--finding {type}: its data are no JSON: {error}") from None
    if not isinstance(data, dict):
        raise InputError(
            f'--finding {type}: its data have to be a JSON object, such as {{"monthly_yuan": 800}}'
        )
    return {"type": type, "subject": subject, "data": data}


def _known_department(book: Book, source: str) -> None:
    if book.catalog is not None:
        known("department", source, book.catalog.departments)


def _check_findings(book: Book, case: str, found: list[dict[str, Any]]) -> None:
    if book.catalog is not None:
        for one in found:
            known("type of event", one["type"], book.catalog.events, listed="`hearthwatch catalog list`")
    try:
        of_visit(case.rpartition("-")[0], tuple(Finding(**one) for one in found), case, 0, book)
    except Refused as refused:
        raise InputError(f"--finding: {refused}") from None
