"""``hearthwatch yield``: what warnings led to, counted."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from casework.cases.book import Book
from casework.yields.counting import DIMENSIONS, Cohort, Dimension, count
from casework.yields.course import Courses
from hearthwatch.activated import activated
from hearthwatch.casework_files import casebook_or_why
from hearthwatch.cli.backtest import open_events
from hearthwatch.cli.options import LANG, check_code, parse_day
from hearthwatch.cli.output import Lines, keep_apart
from hearthwatch.cli.rebuild import shown
from hearthwatch.connections import kafka_arguments
from hearthwatch.running import in_force
from hearthwatch.screen import wide_console
from hearthwatch.settings import Settings, load_settings
from hearthwatch.worker_config import catalog_and_policy
from hearthwatch.yields.shown import DISTRICT_DIGITS, PLACES, Naming, Shown, is_part, show, to_count
from rules.calendar import Calendar
from rules.words import Language
from streams.errors import InputError

if TYPE_CHECKING:
    from rules.policy import Policy
    from streams.catalog import Catalog

_TYPE: Final = re.compile(r"[a-z0-9-]{1,40}(\.[a-z0-9-]{1,40}){1,4}")
_IN_TABLES: tuple[Dimension, ...] = ("indicator", "department", "community")
"""What is printed unless something else is asked for; JSON and HTML have all."""


@click.command(
    "yield",
    epilog="Example: hearthwatch yield --since 2026-01-01 --until 2026-03-31 --html yield.html",
)
@click.option("--since", metavar="YYYY-MM-DD", help="Only cases opened on this day or later.")
@click.option("--until", metavar="YYYY-MM-DD", help="Only cases opened on this day or earlier.")
@click.option(
    "--by",
    type=click.Choice(DIMENSIONS),
    multiple=True,
    help="A row for each of these; may be given several times (otherwise: indicator, department and"
    " community; all with --json and in the page).",
)
@click.option(
    "--community", metavar="CODE", default="", help="Only a community, street or district (12, 9, 6 digits)."
)
@click.option(
    "--small-cells",
    is_flag=True,
    help="Show counts of 1 and 2 of communities and streets too: they can speak of one family.",
)
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read records of `case.events` and `warnings` from a file, one per line (- for standard input), and"
    " not from Kafka. Exit status 2 if there is no case in it.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page with charts; - for standard output.",
)
@LANG
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def yield_(
    since: str | None,
    until: str | None,
    by: tuple[Dimension, ...],
    community: str,
    small_cells: bool,
    file: Path | None,
    html: Path | None,
    lang: Language,
    as_json: bool,
) -> None:
    """Count what warnings led to: visits, need found, help, and why cases were closed.

    A case is a warning that somebody has to answer for; later warnings join it. It counts once in the total,
    and under each indicator and department behind it. Shares leave out what is still undecided, and come with
    their 95 % intervals: fewer than 10 cases are too few to judge by. How to read it:
    docs/how-to/measure-the-yield.md.

    Both topics are read whole. No household stands in what is printed, so nobody's look is put on record.
    """
    check_code(community)
    first, last = parse_day(since, "--since"), parse_day(until)
    if first is not None and last is not None and first > last:
        raise InputError(f"--since {since} is after --until {until}: no day lies between them")
    if as_json and str(html) == "-":
        raise InputError("--json and --html - both write to standard output: give the page a file")
    keep_apart([] if file is None else [file], [("--html", html)])
    settings = load_settings()
    courses, catalog, policy, book = _read(settings, file, is_quiet=as_json)
    calendar = Calendar(policy.timezone)
    no_need = frozenset(level for level, one in book.difficulties.items() if one.severity == 0)
    found = count(
        courses,
        Cohort(calendar, first, last, community),
        by=to_count(by or DIMENSIONS),
        levels=[level.id for level in policy.levels],
        departments=catalog.departments.keys(),
        no_need=no_need,
    )
    wider = ("", community[:DISTRICT_DIGITS]) if is_part(community) and not small_cells else ()
    around = [
        count(courses, Cohort(calendar, first, last, code), by=PLACES, no_need=no_need) for code in wider
    ]
    naming = Naming(policy, catalog, lang)

    def shown_by(dimensions: Sequence[Dimension]) -> Shown:
        return show(
            found,
            naming,
            dimensions,
            since=since,
            until=until,
            community=community,
            small_cells=small_cells,
            around=around,
        )

    if html is not None:
        from hearthwatch.yields.page import page

        with Lines(html) as out:
            out.write(page(shown_by(by or DIMENSIONS), lang).encode())
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(shown_by(by or DIMENSIONS)), ensure_ascii=False))
    elif str(html) != "-":
        from hearthwatch.yields.on_terminal import tables

        console = wide_console()
        for piece in tables(shown_by(by or _IN_TABLES), lang):
            console.print(piece, highlight=False, markup=False)
    if courses.unreadable:
        click.echo(f"{courses.unreadable} records are of neither topic, and were passed over.", err=True)


def _read(settings: Settings, file: Path | None, *, is_quiet: bool) -> tuple[Courses, Catalog, Policy, Book]:
    """All cases, and the files that they were judged by."""
    courses = Courses()
    if file is not None:
        files = catalog_and_policy(settings)
        _read_file(file, courses)
    else:
        from hearthwatch.yields.reading import read_topics

        settings = in_force(settings)
        files = activated(settings)
        with shown(is_quiet) as tell:
            asyncio.run(read_topics(kafka_arguments(settings), courses, tell))
    book = casebook_or_why(settings, *files)
    if isinstance(book, str):
        raise InputError(f"{book} Which difficulties are none stands in the book.")
    return courses, *files, book


def _read_file(file: Path, courses: Courses) -> None:
    """Take the records of a file, one a line.

    Raises:
        InputError: it cannot be read, or opens no case: it is another file than was meant.
    """
    read, first_other = 0, ""
    with open_events(file) as lines:
        try:
            for line in lines:  # a warning with all its facts may be longer than any event
                others = courses.unreadable
                courses.take(line)
                read += 1
                if courses.unreadable > others and not first_other:
                    first_other = f"line {read} {_kind_of(line)}"
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    if len(courses):
        return
    if not read:
        found = "it is empty"
    elif courses.unreadable == read:
        found = f"none of its lines ({read}) is a record of `case.events` or `warnings`: {first_other}"
    else:
        of = f"{read - courses.unreadable} of its {read} lines are records of these topics"
        found = f"{of}, and none is an event `case.opened`"
    raise InputError(
        f"{'standard input' if str(file) == '-' else file}: there is no case in it: {found}."
        " Expected the values of all records of `case.events`, and of `warnings` for the departments,"
        " one JSON object a line"
    )


def _kind_of(line: bytes) -> str:
    """What a line of another file is, without its content: it may be personal data."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "is not JSON"
    type = found.get("type") if isinstance(found, dict) else None
    if isinstance(type, str) and _TYPE.fullmatch(type):
        return f"is of the type `{type}`"
    return "has no `type`, `id` and `data` of an event"
