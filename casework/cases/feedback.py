"""What goes back to the score: findings of a visit, the assessed difficulty, help that was given.

They are events of civil affairs by the departments' own contract: each is read by the catalogue before it is
sent, as intake will read it, so that none can end as a dead letter.
"""

from __future__ import annotations

from typing import Any

import msgspec

from casework.cases.book import Book
from casework.cases.case import Case, Measure
from casework.cases.case_events import Feedback
from casework.cases.commands import Finding
from rules.calendar import instant_text
from streams.catalog import Catalog
from streams.envelope import Decoder
from streams.errors import DecodeError

_encode = msgspec.json.Encoder().encode
_decoders: dict[str, Decoder] = {}


class Refused(Exception):  # noqa: N818  (a result of a check, not an error of ours)
    """The catalogue would reject what would go back; the text says why."""


def of_visit(
    household: str, findings: tuple[Finding, ...], event: str, at: int, book: Book
) -> list[Feedback]:
    """What was seen at a visit.

    Args:
        event: id of the case's event: names what goes back.

    Raises:
        Refused: a finding is none that the department may send.
    """
    if findings and book.catalog is None:
        raise Refused("findings cannot go back: this book has no catalogue of events")
    sent = []
    for number, finding in enumerate(findings, start=1):
        if finding.subject.startswith("household/") and finding.subject != f"household/{household}":
            raise Refused("$.subject: expected this household, or a person of it")
        name = f"{event}-{number}"
        sent.append(_event(name, finding.type, finding.subject, finding.data, at, book, is_typed=True))
    return sent


def of_assessment(
    household: str, level: str, event: str, before: str | None, at: int, book: Book
) -> list[Feedback]:
    """How hard it was found to be.

    Args:
        before: name of what went back for the assessment that this one revises, or None.
    """
    if book.assessed is None or book.catalog is None:
        return []
    type, field = book.assessed
    data = {field: book.difficulties[level].severity}
    name = assessment_name(event)
    return [_event(name, type, f"household/{household}", data, at, book, supersedes=before)]


def assessment_name(event: str) -> str:
    """The id under which an assessment goes back."""
    return f"{event}-level"


def of_help(household: str, measure: Measure, event: str, at: int, book: Book) -> list[Feedback]:
    """Help that was given, where the book says as which event.

    Raises:
        Refused: the amount or the person is missing or wrong.
    """
    granted = book.granted.get(measure.id)
    if granted is None or book.catalog is None:
        return []
    fields: dict[str, Any] = dict(granted.fixed)
    if granted.amount is not None and measure.amount_yuan is not None:
        fields[granted.amount] = measure.amount_yuan
    subject = _subject(household, measure, granted.type, book.catalog)
    if subject is None:
        raise Refused("this measure is for one person: `person` has to say for whom")
    return [_event(f"{event}-help", granted.type, subject, fields, at, book)]


def commitment_name(case: Case, place: int) -> str:
    """Under which name help given under a commitment goes back: by the measure's place in the case."""
    return f"{case.id}-commitment-{place + 1}"


def of_breach(household: str, measure: Measure, name: str, at: int, book: Book) -> list[Feedback]:
    """That help given under a commitment does not hold any more.

    Help that an earlier program delivered to one person stays: its case does not say to whom.

    Args:
        name: as which it went back (:func:`commitment_name`).
    """
    granted = book.granted.get(measure.id)
    if granted is None or book.catalog is None:
        return []
    subject = _subject(household, measure, granted.type, book.catalog)
    if subject is None:
        return []
    data = {"reason": "the commitment under which it was given was broken"}
    return [_event(f"{name}-broken", "fact.retracted", subject, data, at, book, supersedes=f"{name}-help")]


def _subject(household: str, measure: Measure, type: str, catalog: Catalog) -> str | None:
    """Of whom help is told as an event of a type; None where that is a person, and it is not said which."""
    if catalog.events[type].subject == "household":
        return f"household/{household}"
    return None if measure.person is None else f"person/{measure.person}"


def _event(
    id: str,
    type: str,
    subject: str,
    data: dict[str, Any],
    at: int,
    book: Book,
    *,
    is_typed: bool = False,
    supersedes: str | None = None,
) -> Feedback:
    """One event, read as intake will read it.

    Args:
        is_typed: refuse fields that the catalogue does not name: staff typed them for a reason.
    """
    assert book.catalog is not None
    event = {
        "specversion": "1.0",
        "id": id,
        "source": book.catalog.source_of(book.department),
        "type": type,
        "subject": subject,
        "time": instant_text(at),
        "data": data,
    }
    if supersedes is not None:
        event["supersedes"] = supersedes
    body = _encode(event)
    try:
        read = _decoder(book).line(body)
    except DecodeError as error:
        raise Refused(error.message) from None
    fields = book.catalog.events.get(type)
    if fields is None and type != "fact.retracted":
        raise Refused("$.type: expected a type of the catalogue: registry events are not findings")
    if is_typed and fields is not None and set(data) != set(read.data):
        raise Refused(f"$.data: `{type}` has no such field; expected: {', '.join(fields.data)}")
    return Feedback(f"life.{book.department}", subject, body)


def _decoder(book: Book) -> Decoder:
    assert book.catalog is not None
    digest = book.catalog.digest
    decoder = _decoders.get(digest)
    if decoder is None or decoder.catalog is not book.catalog:
        decoder = _decoders[digest] = Decoder(book.catalog)
    return decoder
