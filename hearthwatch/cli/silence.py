"""``hearthwatch silence``: hold alerts back for a while, with a reason, and let them go again."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.table import Table
from rich.text import Text

from casework.alerts.routes import Routes
from casework.alerts.routes_file import read_routes
from casework.alerts.silences import LONGEST, Silence, check_silence
from casework.alerts.spans import span_of
from hearthwatch.activated import activated
from hearthwatch.cli.groups import Group
from hearthwatch.cli.moments import instant_of, local_text
from hearthwatch.cli.on_record import entry, put_on_record
from hearthwatch.cli.options import Seconds
from hearthwatch.counted import counted
from hearthwatch.running import in_force
from hearthwatch.screen import printable, wide_console
from hearthwatch.settings import Settings, load_settings
from hearthwatch.silences import Silences, Standing, ended_at
from rules.policy import Policy
from streams.audit import Entry
from streams.errors import FileFaults, InputError, PublishTimeoutError
from streams.timestamps import DAY, format_timestamp
from streams.yamlfile import suggest

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_AT = click.option(
    "--at", metavar="TIME", help="With `clock: log`: what time it is. Default: the newest there."
)
_TIMEOUT = click.option(
    "--timeout",
    type=Seconds(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long dispatch may take; 0: do not wait for it.",
)


@click.group(
    cls=Group,
    epilog="Example: hearthwatch silence add --community 420106007003 --for 2h "
    '--reason "the street visits all of them today"',
)
def silence() -> None:
    """Hold alerts of a place, a level or a household back for a while; nothing of them is lost.

    What a silence holds waits until it ends. Then it is told, unless its case was answered meanwhile.
    Deadlines of cases go on. Who made or ended a silence is on record (`hearthwatch audit list`).
    """


@silence.command(
    epilog="Example: hearthwatch silence add --level blue --level yellow --until 2026-10-08T08:00 "
    '--reason "only the grave ones over the holiday" --author li.fang'
)
@click.option(
    "--community", default="", metavar="CODE", help="A community, street or district: 12, 9, 6 digits."
)
@click.option("--level", "levels", multiple=True, metavar="LEVEL", help="A level of the policy; repeatable.")
@click.option("--household", default="", metavar="ID", help="A household.")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Why nobody has to be told; no names of families."
)
@click.option(
    "--author",
    metavar="NAME",
    envvar="HEARTHWATCH_STAFF",
    show_envvar=True,
    help="Who answers for it. Default: the login.",
)
@click.option("--for", "span", metavar="SPAN", help="How long: 30m, 2h, 3d; at most 90d.")
@click.option("--until", metavar="TIME", help="Until when: 2026-10-03T09:00, or with an offset.")
@click.option("--starts", metavar="TIME", help="From when. Default: now.")
@click.option("--id", metavar="ID", help="Its name; of a silence that stands: gives that another end.")
@_AT
@_TIMEOUT
@_JSON
def add(
    community: str,
    levels: tuple[str, ...],
    household: str,
    reason: str,
    author: str | None,
    span: str | None,
    until: str | None,
    starts: str | None,
    id: str | None,
    at: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Make a silence, and wait until dispatch holds it.

    It holds alerts that match all that is given: --community, --level (any of several), --household. Without
    --community it is made in every district that the routes name or that was ever alerted. What is on its way
    already is told.

    Times without an offset are in the time zone of the routes. Exit status 2 if it may not stand, 3 if
    dispatch did not take it in time: it is in the log then, and holds from when dispatch does.
    """
    if (span is None) == (until is None):
        raise click.UsageError("give one of --for and --until")
    if id is not None and not _ID.fullmatch(id):
        raise InputError("--id: expected up to 64 letters, digits, dots, dashes and underscores")
    lasts = _span(span)
    # What is wrong whatever the time and the district is told before anybody is asked.
    check_silence(Silence("", author or "-", reason, 0, lasts or DAY, community, levels, household))
    settings = in_force(load_settings())
    _, policy = activated(settings)
    _check_levels(levels, policy)
    noted = entry("change", "silence", "sent", households=[household] if household else [])
    login = noted.who.id if noted.who is not None else ""

    async def made() -> tuple[Standing, int, dt.tzinfo]:
        async with Silences.open(settings) as found:
            routes, zone = _routes(settings, policy, found, community)
            now = _now(found, at, zone)
            begins = now if starts is None else instant_of(starts, zone, "--starts")
            wanted = check_silence(
                Silence(
                    id or f"s-{secrets.token_hex(4)}",
                    (author or login).strip(),
                    reason.strip(),
                    begins,
                    begins + lasts if until is None else instant_of(until, zone, "--until"),
                    community,
                    levels,
                    household,
                )
            )
            if wanted.ends <= now:
                raise InputError(
                    f"--until: {local_text(wanted.ends, zone)} is over already, it is {local_text(now, zone)}"
                )
            districts = found.districts(wanted, routes)
            for one in found.standing():
                if one.silence.id == wanted.id:
                    _check_same(one.silence, wanted)
                    districts = sorted({*districts, *one.districts})
            await _put(found, settings, wanted, districts, now, noted, timeout)
            held = next((one for one in found.standing() if one.silence.id == wanted.id), None)
            return held or Standing(wanted, districts), now, zone

    one, now, zone = asyncio.run(made())
    if as_json:
        click.echo(json.dumps(_plain(one, now), ensure_ascii=False, indent=2))
        return
    click.echo(f"Silence {one.silence.id} {_told_when(one, now, zone)}: {_of(one.silence)}.")
    click.echo(f"{_waiting(one)} End it: hearthwatch silence end {one.silence.id}")


@silence.command("list", epilog="Example: hearthwatch silence list --json | jq '.[] | select(.holds > 0)'")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended, as far as the log goes.")
@_AT
@_JSON
def list_(everything: bool, at: str | None, as_json: bool) -> None:
    """List silences: who made them, why, until when, and how many alerts wait for their end at present.

    Who looks is put on record first.
    """
    settings = in_force(load_settings())
    _, policy = activated(settings)

    async def read() -> tuple[list[Standing], int, dt.tzinfo]:
        async with Silences.open(settings) as found:
            _, zone = _routes(settings, policy, found)
            now = found.now() if at is None else _now(found, at, zone)
            some = [one for one in found.standing() if everything or one.when(now) != "ended"]
            return [*(await found.ended() if everything else ()), *some], now, zone

    some, now, zone = asyncio.run(read())
    of = [one.silence.household for one in some if one.silence.household]
    asyncio.run(put_on_record(settings, entry("read", "silences", "ok", households=of, rows=len(some))))
    if as_json:
        click.echo(json.dumps([_plain(one, now) for one in some], ensure_ascii=False, indent=2))
        return
    if not some:
        click.echo("No silence stands." + ("" if everything else " `--all` shows those that have ended."))
        return
    table = Table("id", "holds", f"from ({zone})", f"until ({zone})", "alerts of", "waiting", "by", "why")
    for one in some:
        found = one.silence
        row = (
            found.id, {"holds": "now", "begins": "not yet", "ended": "ended"}[one.when(now)],
            local_text(found.starts, zone), local_text(found.ends, zone), _of(found), str(one.holds),
            found.author, found.reason,
        )  # fmt: skip
        # Text, not markup: what somebody wrote must not colour our screen.
        table.add_row(*(Text(printable(cell)) for cell in row))
    wide_console().print(table)


@silence.command(epilog="Example: hearthwatch silence end s-3f9a01c2")
@click.argument("id")
@_AT
@_TIMEOUT
@_JSON
def end(id: str, at: str | None, timeout: float, as_json: bool) -> None:
    """End silence ID now: what it held is told at once.

    Unless quiet hours or another silence hold it, or its community had a message a moment ago
    (`group_interval` of the routes); the highest level waits for no such pause. Exit status 2 if there is
    none, 3 if dispatch did not take it in time.
    """
    settings = in_force(load_settings())
    _, policy = activated(settings)

    async def ended() -> tuple[Standing, int]:
        async with Silences.open(settings) as found:
            one = found.one(id)
            _, zone = _routes(settings, policy, found, one.silence.community)
            now = _now(found, at, zone)
            if one.silence.ends <= now:
                raise InputError(f"the silence `{id}` has ended already")
            of = [one.silence.household] if one.silence.household else []
            noted = entry("change", "silence", "sent", households=of)
            await _put(found, settings, ended_at(one.silence, now), one.districts, now, noted, timeout)
            return Standing(ended_at(one.silence, now), one.districts, one.holds), now

    one, now = asyncio.run(ended())
    if as_json:
        click.echo(
            json.dumps({**_plain(one, now), "holds": 0, "let_go": one.holds}, ensure_ascii=False, indent=2)
        )
        return
    click.echo(f"Silence {id} has ended. {one.holds} alerts had waited for it.")


async def _put(
    found: Silences,
    settings: Settings,
    wanted: Silence,
    districts: Sequence[str],
    now: int,
    noted: Entry,
    timeout: float,  # noqa: ASYNC109 - seconds that dispatch may take
) -> None:
    """Append it, with what came of that on record."""
    query = {
        "silence": wanted.id, "until": format_timestamp(wanted.ends), "community": wanted.community,
        "levels": ",".join(wanted.levels), "author": wanted.author,
    }  # fmt: skip
    noted = msgspec.structs.replace(
        noted, why=wanted.reason, query={name: text for name, text in query.items() if text}
    )
    await put_on_record(settings, noted)
    try:
        await found.put(wanted, districts, now, wait_seconds=timeout)
    except PublishTimeoutError:
        await put_on_record(settings, msgspec.structs.replace(noted, result="unanswered"))
        raise
    if timeout:
        await put_on_record(settings, msgspec.structs.replace(noted, result="done"))


def _check_levels(levels: Sequence[str], policy: Policy) -> None:
    known = [one.id for one in policy.levels]
    for level in levels:
        if level not in known:
            hint = suggest(level, known)
            among = "" if "one of:" in hint else f" one of: {', '.join(known)}"
            raise InputError(f"--level: the policy has no level `{level}`: {hint}{among}".rstrip())


def _check_same(stands: Silence, wanted: Silence) -> None:
    """Another end is fine; the same name for something else is not."""
    if (stands.community, set(stands.levels), stands.household) != (
        wanted.community, set(wanted.levels), wanted.household,
    ):  # fmt: skip
        raise InputError(
            f"--id: the silence `{stands.id}` stands for {_of(stands)}: end it first, or leave --id out"
        )


def _routes(
    settings: Settings, policy: Policy, found: Silences, community: str = ""
) -> tuple[list[Routes], dt.tzinfo]:
    """The routes that hold by the log and those of the settings, and the time zone of a community's.

    Any that do not fit the policy are left out: there the settings' own hold, as for dispatch.
    """
    sources: list[tuple[str | Path, bytes | None]] = [
        ("routes in the log", text) for text in dict.fromkeys(found.routes.values())
    ]
    if settings.routes is not None:
        sources.append((settings.routes, None))
    read: dict[bytes | None, Routes] = {}
    for source, text in sources:
        with suppress(FileFaults):
            read[text] = read_routes(source, policy, text)
    own = read.get(None)
    held = read.get(found.routes_for(community), own)
    return list(read.values()), ZoneInfo(policy.timezone) if held is None else held.zone


def _now(found: Silences, at: str | None, zone: dt.tzinfo) -> int:
    """What time it is."""
    if at is not None:
        if found.clock == "wall":
            raise InputError("--at is for `clock: log`: here the wall clock says what time it is")
        return instant_of(at, zone, "--at")
    now = found.now()
    if not now:
        raise InputError("nobody has been alerted yet, so there is no newest time: give --at")
    return now


def _span(text: str | None) -> int:
    if text is None:
        return 0
    span = span_of(text)
    if not span:
        raise InputError(f"--for: `{text}` is no span: expected one such as 30m, 2h or 3d")
    if span > LONGEST:
        raise InputError(f"--for: a silence lasts at most {LONGEST // DAY}d")
    return span


def _of(silence: Silence) -> str:
    """What it holds."""
    parts = [
        *([f"community {silence.community}"] if silence.community else ()),
        *([f"level {', '.join(silence.levels)}"] if silence.levels else ()),
        *([f"household {silence.household}"] if silence.household else ()),
    ]
    return "; ".join(parts)


def _told_when(one: Standing, now: int, zone: dt.tzinfo) -> str:
    until = f"until {local_text(one.silence.ends, zone)} ({zone})"
    if one.when(now) == "begins":
        return f"holds from {local_text(one.silence.starts, zone)} {until}"
    return f"holds {until}"


def _waiting(one: Standing) -> str:
    return f"{counted(one.holds, 'alert waits', 'alerts wait')} for its end."


def _plain(one: Standing, now: int) -> dict[str, Any]:
    found = one.silence
    return {
        "id": found.id,
        "state": one.when(now),
        "author": found.author,
        "reason": found.reason,
        "starts": format_timestamp(found.starts),
        "ends": format_timestamp(found.ends),
        "community": found.community or None,
        "levels": list(found.levels),
        "household": found.household or None,
        "districts": one.districts,
        "holds": one.holds,
    }
