"""``hearthwatch case``: cases listed, shown and worked; here the list."""

from __future__ import annotations

import asyncio
import heapq
from typing import Final, cast
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.table import Table
from rich.text import Text

from casework.cases.case import CaseState
from casework.cases.transitions import OPEN
from hearthwatch.activated import activated
from hearthwatch.cli import case_act, case_assist, case_commit, case_show
from hearthwatch.cli.case_options import Codes
from hearthwatch.cli.case_words import WORDS, known, left_text, word
from hearthwatch.cli.groups import Group
from hearthwatch.cli.moments import local_text
from hearthwatch.cli.on_record import entry, put_on_record
from hearthwatch.cli.options import LANG, Whole
from hearthwatch.desk import CaseLine, Desk
from hearthwatch.running import in_force
from hearthwatch.screen import wide_console
from hearthwatch.settings import Settings, load_settings
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import level_text
from rules.policy import Policy
from rules.words import Language
from streams.timestamps import parse_timestamp

#: Cases that are read at a time.
_CHUNK: Final = 1000
_NEVER: Final = 2**63


@click.group(cls=Group, epilog="Example: hearthwatch case list --community 420106003005 --overdue")
def case() -> None:
    """Work on cases: what each warning asks of people, from the list to the code that closes it.

    Who acts is said by --as, --role and --communities, or once by HEARTHWATCH_STAFF, HEARTHWATCH_ROLE and
    HEARTHWATCH_COMMUNITIES. That is believed: who may log in here is an operator. Staff work over the HTTP
    API, where a token says who they are. What is looked at and sent goes on record: `hearthwatch audit list`.

    Exit status 1 if a command is refused or there is no such case, 2 if what was given is wrong and nothing
    was sent, 3 if no answer came.
    """


for command in (
    case_show.show, case_show.suggest, case_act.ack, case_act.assign, case_act.visit, case_act.assess,
    case_assist.assist, case_act.refer, case_commit.commit, case_act.comment, case_act.close, case_act.reopen,
):  # fmt: skip
    case.add_command(command)


@case.command("list", epilog="Example: hearthwatch case list --community 420106003 --level red --overdue")
@click.option(
    "--community",
    "communities",
    type=Codes(),
    metavar="CODE",
    multiple=True,
    envvar="HEARTHWATCH_COMMUNITIES",
    show_envvar=True,
    help="Only of a community, street or district (12, 9, 6 digits); repeatable. Default: all.",
)
@click.option("--level", metavar="LEVEL", help="Only of this level.")
@click.option("--state", type=click.Choice(OPEN), help="Only in this state.")
@click.option("--overdue/--in-time", default=None, help="Only what is late, or what is not.")
@click.option(
    "--limit",
    type=Whole(1, 5000),
    default=50,
    show_default=True,
    metavar="N",
    help="So many a page.",
)
@click.option("--page", type=Whole(1), default=1, metavar="N", help="The next ones: 2, 3, ...")
@LANG
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    communities: tuple[tuple[str, ...], ...],
    level: str | None,
    state: str | None,
    overdue: bool | None,
    limit: int,
    page: int,
    lang: Language,
    as_json: bool,
) -> None:
    """List open cases, the most urgent first: by level, then by the earliest deadline that runs.

    What is late is so by now, and with `clock: log` by the newest time of the log. Cases of a go-live's
    worklist have no deadline. Who looks is put on record first. Exit status 1 where the page is past the
    last.
    """
    settings = in_force(load_settings())
    _, policy = activated(settings)
    if level is not None:
        known("level", level, (one.id for one in policy.levels))
    codes = tuple(dict.fromkeys(code for some in communities for code in some))
    found, count, late, now = asyncio.run(
        _found(settings, policy, codes or None, level, cast("CaseState | None", state), overdue, limit, page)
    )
    last = max(1, -(-count // limit))
    if page > last:
        told = WORDS[lang]["past-last"].format(page=page, last=last, all=count, limit=limit)
        click.echo(told, err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        for one in found:
            click.echo(msgspec.json.encode(one))
        return
    _print(found, count, late, (page - 1) * limit, policy, now, lang)


async def _found(
    settings: Settings,
    policy: Policy,
    scope: tuple[str, ...] | None,
    level: str | None,
    state: CaseState | None,
    overdue: bool | None,
    limit: int,
    page: int,
) -> tuple[list[CaseLine], int, int, int]:
    """A page of cases, how many there are, how many of them late, and what time it is; on record already."""
    ranks = {one.id: rank for rank, one in enumerate(policy.levels)}
    count = late = 0
    first: list[CaseLine] = []
    async with Desk.open(settings) as desk:
        now = await desk.now()
        after = None
        while True:
            some = await desk.cases(
                scope, level=level, state=state, overdue=overdue, limit=_CHUNK, after=after
            )
            count += len(some.cases)
            late += sum(one.is_overdue for one in some.cases)
            first = heapq.nsmallest(page * limit, [*first, *some.cases], key=lambda one: urgency(one, ranks))
            after = some.next
            if after is None:
                break
    shown = first[(page - 1) * limit :]
    asked = {
        "community": None if scope is None else ",".join(scope), "level": level, "state": state,
        "overdue": overdue,
    }  # fmt: skip
    looked = entry(
        "read", "cases", "ok", households=[one.household for one in shown], rows=len(shown),
        query={name: str(value) for name, value in asked.items() if value is not None},
    )  # fmt: skip
    await put_on_record(settings, looked)
    return shown, count, late, now


def urgency(line: CaseLine, ranks: dict[str, int]) -> tuple[int, int, str]:
    """What cases are ordered by, the most urgent lowest; a level that is not known is above all others."""
    due = None if line.due is None else parse_timestamp(line.due)
    return -ranks.get(line.level, len(ranks)), _NEVER if due is None else due, line.id


def _print(
    found: list[CaseLine], count: int, late: int, before: int, policy: Policy, now: int, lang: Language
) -> None:
    words = WORDS[lang]
    if not found:
        click.echo(words["none"])
        return
    zone = ZoneInfo(policy.timezone)
    table = Table(box=None, pad_edge=False)
    for heading in ("level", "case", "state", "due", "left", "community", "household"):
        table.add_column(words[heading].format(zone=policy.timezone), overflow="fold")
    for one in found:
        due = None if one.due is None else parse_timestamp(one.due)
        table.add_row(
            Text(level_text(one.level, policy, lang), style=level_style(one.level, policy)),
            Text(one.id, style="bold"),
            Text(word(one.state, lang)),
            Text("" if due is None else local_text(due, zone)),
            Text(
                words["worklist"] if due is None else left_text(due, now, lang),
                style="red" if one.is_overdue else "",
            ),
            Text(one.community or words["nobody"]),
            Text(one.household),
        )
    wide_console().print(table)
    shown = words["shown"].format(first=before + 1, last=before + len(found), all=count)
    more = words["next-page"].format(page=before // max(len(found), 1) + 2)
    parts = [shown, *([words["late"].format(late=late)] if late else [])]
    if before + len(found) < count:
        parts.append(more)
    click.echo(("；" if lang == "zh" else "; ").join(parts), err=True)
