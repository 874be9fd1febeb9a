"""Sending a command about a case from the command line, and saying what came of it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec

from casework.cases.book import Book
from casework.cases.case import CLOCKS
from casework.cases.commands import Command, read_data
from casework.cases.transitions import TABLE
from hearthwatch.activated import activated
from hearthwatch.casework_files import casebook
from hearthwatch.cli.case_options import Acting
from hearthwatch.cli.case_show import leave_unknown
from hearthwatch.cli.case_words import left_text, word
from hearthwatch.cli.moments import instant_of, local_text
from hearthwatch.cli.on_record import entry, put_on_record
from hearthwatch.desk import UNKNOWN, Answer, CaseView, Desk
from hearthwatch.running import in_force
from hearthwatch.screen import printable
from hearthwatch.settings import Settings, load_settings
from hearthwatch.worker_config import catalog_and_policy
from streams.errors import InputError, PublishTimeoutError, TransportError
from streams.timestamps import format_timestamp, parse_timestamp

#: How long an answer is waited for.
ANSWER_SECONDS: Final = 30.0
_REFERENCE: Final = "docs/reference/cases.md"


class Answered(msgspec.Struct, frozen=True):
    """What came of a command, for ``--json``.

    Attributes:
        is_done: false where it was refused, or not answered yet.
        reason: of a refusal (docs/reference/cases.md); ``repeated-refusal`` where it was refused before,
            ``unanswered`` where no answer came in time.
        fix: what to do then.
        version: the case's version after it; None where the answer does not say.
        event: the CloudEvent of ``case.events`` that answers it.
    """

    command: str
    case: str
    seen_version: int
    is_done: bool
    is_repeated: bool = False
    reason: str | None = None
    message: str = ""
    fix: str = ""
    version: int | None = None
    event: dict[str, Any] | None = None


def book_in_force() -> Book:
    """The book of cases and the catalogue of assistance, whose words commands are held to.

    Raises:
        InputError: a file is faulty, or does not fit what is activated.
        TransportError: no broker answers.
    """
    settings = in_force(load_settings())
    return casebook(settings, *activated(settings))


def book_here() -> Book:
    """The book without asking a broker: its words, and those of assistance, stand in the settings' files.

    Raises:
        InputError: a file is faulty.
        TransportError: the files do not fit the settings' policy and catalogue, which may be older than what
            is activated, and no broker answers.
    """
    settings = in_force(load_settings())
    try:
        return casebook(settings, *catalog_and_policy(settings))
    except InputError:
        return book_in_force()


def held_to_catalog(check: Callable[[Book], None]) -> None:
    """Check what the catalogue has words for: against the settings' one, and against the activated one.

    What is activated decides. A fault that the settings' catalogue finds is told where no broker answers.

    Raises:
        InputError: what ``check`` found, or a faulty file.
        TransportError: no broker answers.
    """
    found: InputError | None = None
    settings = in_force(load_settings())
    try:
        book = casebook(settings, *catalog_and_policy(settings))
    except InputError:
        pass
    else:
        try:
            check(book)
        except InputError as error:
            found = error
    try:
        book = book_in_force()
    except TransportError:
        if found is not None:
            raise found from None
        raise
    check(book)


def send(by: Acting, case: str, command: str, data: dict[str, Any]) -> None:
    """Send a command, print what came of it, and leave with 1 if it was refused.

    Args:
        data: by the command; what is None, False or empty is left out.

    Raises:
        InputError: it cannot be sent like this.
        TransportError: a server does not answer, or no answer came in time.
    """
    settings = in_force(load_settings())
    given = {
        name: value
        for name, value in data.items()
        if value is not None and value is not False and value not in ([], "")
    }
    # What was typed is checked before anybody is asked; only the zone of --at has to be.
    draft = Command(
        by.id,
        "",
        case,
        command,
        by.seen or 0,
        by.actor,
        time=_when(by, settings, ZoneInfo("UTC")),
        data=given,
    )
    fault = read_data(draft)
    if isinstance(fault, str):
        raise InputError(_by_option(fault))
    _, policy = activated(settings)
    zone = ZoneInfo(policy.timezone)
    draft = msgspec.structs.replace(draft, time=_when(by, settings, zone))
    answered, after = asyncio.run(_sent(settings, draft, by.seen))
    if by.as_json:
        click.echo(msgspec.json.encode(answered))
    else:
        _print(answered, after, zone)
    if answered.reason == "unanswered":
        raise click.exceptions.Exit(3)
    if not answered.is_done:
        raise click.exceptions.Exit(1)


async def _sent(settings: Settings, draft: Command, seen: int | None) -> tuple[Answered, CaseView | None]:
    from hearthwatch.audit_log import AuditWriter

    async with Desk.open(settings) as desk:
        found = await desk.case(draft.case)
        if found is None:
            tried = entry("change", "case", "not-found", case=draft.case, request=draft.id)
            await leave_unknown(settings, desk, draft.case, tried)
        command = msgspec.structs.replace(
            draft, household=found.household, seen_version=found.version if seen is None else seen
        )
        await _check_other(settings, desk, command)
        query = {"command": command.command, "as": command.actor.id, "role": command.actor.role}
        async with AuditWriter(settings, "cli") as writer:

            async def note(result: str) -> None:
                await writer.write(
                    entry(
                        "change", "case", result, case=command.case, households=[command.household],
                        query=query, request=command.id,
                    )
                )  # fmt: skip

            await note("sent")
            try:
                answer = await desk.send(command, timeout=ANSWER_SECONDS)
            except PublishTimeoutError:
                await note("unanswered")
                return _unanswered(command), None
            answered = _answered(command, answer)
            await note(answered.reason or ("repeated" if answered.is_repeated else "done"))
        return answered, await desk.case(command.case) if answered.is_done else None


async def _check_other(settings: Settings, desk: Desk, command: Command) -> None:
    """Look whether the other household's case is there that this one is said to be the same as; on record.

    Raises:
        InputError: it is not, as far as the actor may see.
    """
    other = await desk.other_case(command)
    if other is None:
        return
    is_there = await desk.has_case(other, command.actor.communities)
    household = other.rpartition("-")[0]
    result = "ok" if is_there else "not-found"
    await put_on_record(settings, entry("read", "case", result, case=other, households=[household]))
    if not is_there:
        raise InputError(f"--duplicate-of: `{printable(other)}`: {UNKNOWN}")


def _answered(command: Command, answer: Answer) -> Answered:
    return Answered(
        command=command.id,
        case=command.case,
        seen_version=command.seen_version,
        is_done=answer.reason is None,
        is_repeated=answer.is_repeated,
        reason=answer.reason,
        message=answer.message,
        fix="" if answer.reason is None else fix_of(answer.reason, answer.message, command),
        version=None if answer.is_repeated else answer.version,
        event=answer.event,
    )


def _unanswered(command: Command) -> Answered:
    again = f"--id {command.id} --seen {command.seen_version}"
    return Answered(
        command.id,
        command.case,
        command.seen_version,
        is_done=False,
        reason="unanswered",
        message=f"no answer came within {ANSWER_SECONDS:.0f} s; it may still be carried out",
        fix=f"look at the case (hearthwatch case show {command.case}), or send the same again with {again};"
        " is the stage `cases` at work? (hearthwatch status)",
    )


def fix_of(reason: str, message: str, command: Command) -> str:
    """What whoever was refused can do."""
    look = f"hearthwatch case show {command.case}"
    if reason == "stale":
        return f"show it again: {look}"
    if reason == "forbidden":
        may = _roles(command)
        if command.actor.role not in may:
            return f"ask somebody who may: {', '.join(may)}"
        return "--communities says whose cases they are: this one is another community's, or the district's"
    if reason == "own-proposal":
        return "somebody else of the street or the district approves it"
    if reason in ("wrong-state", "not-yet"):
        return f"show where it stands: {look}; what may be done when is in {_REFERENCE}, `Transitions`"
    if reason in ("id-taken", "repeated-refusal"):
        return "leave --id out: a new command has a new id"
    return f"see {_REFERENCE}, `{reason}`"


def _roles(command: Command) -> tuple[str, ...]:
    """Who may send a command of this kind in any state."""
    kinds = [command.data.get(name) for name in ("outcome", "step", "code")]
    rows = [row for row in TABLE if row.on == command.command]
    same = [row for row in rows if row.when in kinds] or rows
    return tuple(dict.fromkeys(role for row in same for role in row.roles))


def _print(answered: Answered, after: CaseView | None, zone: ZoneInfo) -> None:
    sent = f"command {answered.command}, seen {answered.seen_version}"
    if not answered.is_done:
        kind = "not answered" if answered.reason == "unanswered" else f"refused, {answered.reason}"
        click.echo(f"{kind}: {printable(answered.message)} ({sent})", err=True)
        click.echo(f"  {answered.fix}", err=True)
        return
    assert answered.event is not None
    if answered.is_repeated:
        first = answered.event["data"]["details"]["answer"]
        click.echo(f"{answered.case}: this was done before ({first}), and not again ({sent}).")
        return
    state = answered.event["data"]["after"]
    did = word(answered.event["type"].removeprefix("case."), "en")
    line = f"{answered.case}: {did}; now {state}, version {answered.version} ({sent})."
    click.echo(line if did != state else f"{answered.case}: {did}, version {answered.version} ({sent}).")
    running = [one for one in (after.deadlines if after is not None else []) if one.done is None]
    if running:
        first_due = min(running, key=lambda one: (one.due, CLOCKS.index(one.clock)))
        due = parse_timestamp(first_due.due) or 0
        left = left_text(due, int(time.time() * 1_000_000), "en")
        click.echo(f"Next: {first_due.clock} by {local_text(due, zone)} ({left}).")


def _when(by: Acting, settings: Settings, zone: ZoneInfo) -> str:
    if settings.clock == "log":
        if by.at is None:
            raise InputError(
                "the clock is `log`, so time is what the log says: give --at, such as --at 2025-06-05T10:00"
            )
        return format_timestamp(instant_of(by.at, zone, "--at"))
    if by.at is not None:
        raise InputError(
            "--at is for `clock: log`; here the broker's clock says when it happens: leave it out"
        )
    return format_timestamp(int(time.time() * 1_000_000))


def _by_option(fault: str) -> str:
    """A fault of the data, with the option that it came by."""
    return re.sub(
        r"^(.*) - at `\$\.([a-z_]+)(.*)`$",
        lambda found: f"--{found[2].replace('_', '-')}: {found[1]}",
        fault,
        flags=re.DOTALL,
    )
