"""``hearthwatch case show`` and ``case suggest``: one case, what was done for it, and what would help."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
import msgspec

from hearthwatch.activated import activated
from hearthwatch.cli.case_options import CASE, JSON
from hearthwatch.cli.case_page import print_case
from hearthwatch.cli.case_words import WORDS
from hearthwatch.cli.on_record import entry, put_on_record
from hearthwatch.cli.options import LANG
from hearthwatch.desk import CaseView, Desk, Suggestion
from hearthwatch.running import in_force
from hearthwatch.screen import printable
from hearthwatch.settings import Settings, load_settings
from rules.words import Language
from streams.audit import Entry

Events = list[dict[str, Any]]


@click.command(epilog="Example: hearthwatch case show H-1042-3 --lang zh")
@CASE
@LANG
@JSON
def show(case: str, lang: Language, as_json: bool) -> None:
    """Show case ID: its deadlines, visits, assessment, help and commitment, why it was warned, its history,
    and who was told of it.

    That is the household's open case, or one that was closed; the page names the one before and the one
    after. `version` is what a command may name by --seen; only the one closed last can be worked on.
    Exit status 1 if there is no such case. Who looks is put on record first.
    """
    settings = in_force(load_settings())
    found, events, alerts, now = asyncio.run(_shown(settings, case))
    if as_json:
        plain: dict[str, Any] = msgspec.to_builtins(found)
        click.echo(msgspec.json.encode(plain | {"history": events, "alerts": alerts}))
        return
    _, policy = activated(settings)
    print_case(found, events, alerts, policy, ZoneInfo(policy.timezone), now, lang)


@click.command(epilog="Example: hearthwatch case suggest H-1042-3 --json | jq -r .measure")
@CASE
@LANG
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def suggest(case: str, lang: Language, as_json: bool) -> None:
    """Suggest measures for the household of case ID, the likeliest first, each with its reasons.

    By the causes that were assessed; before that, by the indicators behind its score. It grants nothing:
    staff decide. Exit status 1 if there is no such case. Who looks is put on record first.
    """
    settings = in_force(load_settings())
    found = asyncio.run(_suggested(settings, case, lang))
    if as_json:
        for one in found:
            click.echo(msgspec.json.encode(one))
        return
    words = WORDS[lang]
    for number, one in enumerate(found, start=1):
        click.echo(f"{number}. {one.title} ({one.measure}) - {one.provider}\n   {one.gives}")
        for why in one.reasons:
            click.echo(f"   - {printable(why.text)}")
        if one.documents:
            days = one.papers_within_days
            later = "" if days is None else f" ({words['later'].format(days=days)})"
            click.echo(f"   {words['needs']}{later}: {'; '.join(one.documents)}")
    click.echo(words["suggested"] if found else words["nothing"], err=True)


async def _shown(settings: Settings, id: str) -> tuple[CaseView, Events, Events, int]:
    """A case, what became of it and of its alerts, and what time it is; on record already."""
    async with Desk.open(settings) as desk:
        found = await desk.case(id, earlier=True)
        if found is None:
            tried = entry("read", "case", "not-found", case=id)
            await leave_unknown(settings, desk, id, tried, earlier=True)
        events = await desk.history(found.household, case=found)
        alerts = await desk.alerts(found.household, case=found)
        household = found.household
        await put_on_record(
            settings,
            entry("read", "case", "ok", case=id, households=[household], rows=1),
            entry("read", "history", "ok", case=id, households=[household], rows=len(events)),
            entry("read", "alerts", "ok", case=id, households=[household], rows=len(alerts)),
        )
        return found, events, alerts, await desk.now()


async def _suggested(settings: Settings, id: str, lang: Language) -> list[Suggestion]:
    async with Desk.open(settings) as desk:
        found = await desk.case(id)
        if found is None:
            await leave_unknown(settings, desk, id, entry("read", "suggestions", "not-found", case=id))
        worth = await desk.suggest(id, language=lang)
        await put_on_record(
            settings,
            entry("read", "suggestions", "ok", case=id, households=[found.household], rows=len(worth)),
        )
        return worth


async def leave_unknown(
    settings: Settings, desk: Desk, id: str, tried: Entry, *, earlier: bool = False
) -> NoReturn:
    """Say that there is no such case, and which there may be; leave with 1.

    The try goes on record first, and each household that was looked at for it, under its own id.

    Args:
        earlier: cases before the one closed last were looked for too.
    """
    looks: list[Entry] = []
    near: CaseView | None = None
    for household in dict.fromkeys((id, id.rpartition("-")[0])):
        home = await desk.household(household) if household else None
        if home is None:
            continue
        near = home.open or home.last
        of = None if near is None else near.id
        looks.append(entry("read", "household", "ok", case=of, households=[home.id], rows=near is not None))
        if near is not None:
            break
    await put_on_record(settings, tried, *looks)
    told = f"There is no case `{printable(id)}`{'' if earlier else ' that is open or was closed last'}."
    if near is None:
        told += " `hearthwatch case list` names the open ones."
    else:
        told += f" Household {near.household} has {near.id} ({near.state})."
    click.echo(told, err=True)
    raise click.exceptions.Exit(1)
