"""``hearthwatch household``: what the running system knows of one household."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import click
import orjson
from rich.table import Table
from rich.text import Text

from hearthwatch.activated import rulebook
from hearthwatch.cli.groups import Group
from hearthwatch.cli.on_record import look_on_record
from hearthwatch.cli.options import LANG
from hearthwatch.connections import kafka_arguments, kafka_connection
from hearthwatch.household_state import as_of, read_household
from hearthwatch.running import in_force, open_ledger
from hearthwatch.screen import wide_console
from hearthwatch.set_aside import SetAside, judged_without, persons_of, registry_subjects, waiting_events
from hearthwatch.settings import Settings, load_settings
from rules import household as core
from rules.calendar import day_text
from rules.compile import Rules
from rules.explain import Explanation, explain, sentences, shown_data, text, value_text
from rules.known import Known
from rules.person import Person
from rules.state import Household
from rules.words import Language
from streams.catalog import Catalog
from streams.records import HOUSEHOLD_FACTS, PERSON_EVENTS

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "timeline": "Facts, newest first", "day": "day", "who": "about", "what": "what", "by": "sent by",
        "fields": "fields", "spent": "kept, but not counted (corrected, retracted, or a retraction)",
        "waiting": "on the way here from another household", "none": "No facts.",
        "without": "judged without it: the program failed on this event (dead letters, internal-error)",
    },
    "zh": {
        "timeline": "事实（最新在前）", "day": "日期", "who": "对象", "what": "内容", "by": "来源",
        "fields": "数据", "spent": "保留但不计（已更正、已撤回，或为撤回本身）",
        "waiting": "正从其他家庭转入", "none": "没有事实。",
        "without": "评估时未计入：程序处理该事件时出错（死信，internal-error）",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact of the timeline; ``counts`` is false for what is only kept."""

    day: str
    time: int
    subject: str
    type: str
    title: str
    department: str
    source: str
    id: str
    counts: bool
    data: dict[str, Any]


@click.group(cls=Group, epilog="Example: hearthwatch household show H-1042 --lang zh")
def household() -> None:
    """Look at a household in the running system."""


@household.command(epilog="Example: hearthwatch household show H-1042 --json | jq .score")
@click.argument("id")
@LANG
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(id: str, lang: Literal["en", "zh"], as_json: bool) -> None:
    """Show household ID: its members, score and dimensions, why, and its facts as a timeline.

    Read from the ledger, as of the latest commit; a person in no household is `~<person id>`. Exit status 1
    if no such household is known. Events that the program failed on, and that are missing here, are named.
    Who looks is put on record first (`hearthwatch audit list`).
    """
    state, rules, catalog = live_household(id)
    without = _judged_without(state, catalog)
    explanation = explain(state, rules, catalog, language=lang)
    entries = sorted(
        timeline(state, catalog, lang), key=lambda one: (one.time, one.source, one.id), reverse=True
    )
    if as_json:
        facts = [
            {name: getattr(one, name) for name in Entry.__dataclass_fields__ if name != "time"}
            for one in entries
        ]
        click.echo(
            orjson.dumps(
                {
                    **explanation.as_json(),
                    "waiting": sorted(state.waiting),
                    "set_aside": without,
                    "timeline": facts,
                }
            )
        )
    else:
        _print(explanation, entries, sorted(state.waiting), without, lang)


def _judged_without(home: Household, catalog: Catalog) -> list[SetAside]:
    settings = in_force(load_settings())
    waiting = waiting_events(kafka_connection(settings))
    subjects = registry_subjects(home, waiting)
    persons = asyncio.run(_persons(settings, subjects)) if subjects else {}
    return judged_without(home, waiting, persons, keep_days=catalog.keep_days)


async def _persons(settings: Settings, subjects: Sequence[str]) -> dict[str, Person | None]:
    """What the registry says of some persons."""
    from agents.flow import Flow

    ledger = open_ledger(settings)
    flow = Flow(kafka_arguments(settings), ledger)
    try:
        return await persons_of(ledger, len(await flow.partitions([PERSON_EVENTS])), subjects)
    finally:
        await flow.close()
        await ledger.close()


def live_household(id: str) -> tuple[Household, Rules, Catalog]:
    """A household of the running system as of today, with the rules in force; leaves with 1 if unknown.

    The look is put on record first.
    """
    settings = in_force(load_settings())
    found = asyncio.run(_read(settings, id))
    look_on_record(settings, "household", id, is_found=found is not None)
    if found is None:
        click.echo(f"No household `{id}` is known.", err=True)
        click.get_current_context().exit(1)
    state, day = found
    return as_of(state, day, rulebook(settings))


async def _read(settings: Settings, id: str) -> tuple[Household, int | None] | None:
    """The household's state in the ledger, and the day of its partition."""
    from agents.flow import Flow

    ledger = open_ledger(settings)
    flow = Flow(kafka_arguments(settings), ledger)
    try:
        raw, day = await read_household(ledger, len(await flow.partitions([HOUSEHOLD_FACTS])), id)
        return None if raw is None else (core.decode(raw), day)
    finally:
        await flow.close()
        await ledger.close()


def timeline(home: Household, catalog: Catalog, language: Language) -> Iterator[Entry]:
    """Everything that is kept of a household and its residents, in no order."""
    yield from _of(f"household/{home.id}", home.own, catalog, language)
    for resident in home.residents.values():
        yield from _of(f"person/{resident.id}", resident.known, catalog, language)


def _of(subject: str, known: Known, catalog: Catalog, language: Language) -> Iterator[Entry]:
    for type, facts in known.facts.items():
        event = catalog.events.get(type)
        title = text(event.title, language, type) if event is not None else type
        for fact in facts:
            yield Entry(
                day_text(fact.day), fact.time, subject, type, title,
                _department(fact.source, catalog, language), fact.source, fact.id, True,
                shown_data(type, fact, catalog),
            )  # fmt: skip
    for spent in known.spent:
        yield Entry(
            day_text(spent.day), spent.time, subject, "", WORDS[language]["spent"],
            _department(spent.source, catalog, language), spent.source, spent.id, False, {},
        )  # fmt: skip


def _department(source: str, catalog: Catalog, language: Language) -> str:
    name = source.removeprefix(catalog.source_root + "/")
    known = catalog.departments.get(name)
    return text(known.title, language, name) if known is not None else name


def _print(
    explanation: Explanation,
    entries: list[Entry],
    waiting: list[str],
    without: list[SetAside],
    language: Language,
) -> None:
    console = wide_console()
    words = WORDS[language]
    for line in sentences(explanation, language):
        console.print(Text(line))
    for person in waiting:
        console.print(Text(f"person/{person}: {words['waiting']}", style="yellow"))
    for lost in without:
        named = f"{lost.type} {lost.source} {lost.id} ({lost.at})"
        console.print(Text(f"{named}: {words['without']}", style="red"))
    console.print()
    if not entries:
        console.print(words["none"])
        return
    console.print(Text(words["timeline"], style="bold"))
    table = Table(box=None, pad_edge=False)
    for heading in ("day", "who", "what", "by", "fields"):
        table.add_column(words[heading], overflow="fold", no_wrap=heading == "day")
    for one in entries:
        fields = ", ".join(f"{name} {value_text(value, language)}" for name, value in one.data.items())
        row = (one.day, one.subject, one.title, one.department, fields)
        table.add_row(*(Text(cell) for cell in row), style=None if one.counts else "dim")
    console.print(table)
