"""What several commands about cases are given: codes of communities, and who acts."""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from casework.alerts.alert import PREFIX
from casework.cases.commands import Actor
from casework.cases.transitions import COMMENTERS
from hearthwatch.cli.options import Whole

ROLES: Final = COMMENTERS
"""Who may send anything at all; the table of transitions says who sends what."""

CASE = click.argument("case", metavar="ID")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
NOTE = click.option("--note", metavar="TEXT", help="A remark that stands in the record.")


class Codes(click.ParamType):
    """Codes of communities (12 digits), streets (9) or districts (6), with commas or spaces between them."""

    name = "codes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        codes = tuple(code for code in re.split(r"[,\s]+", value) if code)
        for code in codes:
            if not PREFIX.fullmatch(code):
                self.fail(
                    f"`{code}` is no code: a community has 12 digits, a street 9, a district 6", param, ctx
                )
        if not codes:
            self.fail("expected at least one code", param, ctx)
        return codes

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return [rv]  # one value: it is split above


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, and how a command is sent.

    Attributes:
        id: of the command.
        seen: the case's version that is acted on; None: as it is now.
        at: when, with ``clock: log``.
    """

    actor: Actor
    id: str
    seen: int | None
    at: str | None
    as_json: bool


def acting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of those who act; it is called with ``by``, an :class:`Acting`."""

    @functools.wraps(command)
    def called(
        *args: Any, staff: str | None, role: Any, communities: tuple[str, ...] | None,
        command_id: str | None, seen: int | None, at: str | None, as_json: bool, **more: Any,
    ) -> None:  # fmt: skip
        if not staff or not role or not communities:
            raise click.UsageError(_who_is_missing(staff, role, communities))
        if command_id is not None and seen is None:
            raise click.UsageError(
                "--id goes with --seen: sent again, a command has to be the same in all, or it is another one"
            )
        by = Acting(Actor(staff, role, communities), command_id or uuid.uuid4().hex, seen, at, as_json)
        command(*args, by=by, **more)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called


def _who_is_missing(staff: object, role: object, communities: object) -> str:
    """All options of who acts that were not given, at once, and how to give them."""
    given = (
        ("--as STAFF", "HEARTHWATCH_STAFF", staff),
        ("--role ROLE", "HEARTHWATCH_ROLE", role),
        ("--communities CODES", "HEARTHWATCH_COMMUNITIES", communities),
    )
    lacks = [f"{option} (or {variable})" for option, variable, value in given if not value]
    return (
        f"who acts has to be said; missing: {', '.join(lacks)}\n"
        "such as: --as anna --role community --communities 420106003005\n"
        "or once for this terminal: export HEARTHWATCH_STAFF=anna HEARTHWATCH_ROLE=community"
        " HEARTHWATCH_COMMUNITIES=420106003005"
    )


_OPTIONS: Final = (
    click.option(
        "--as", "staff", metavar="STAFF", envvar="HEARTHWATCH_STAFF", show_envvar=True,
        help="Who acts (needed).",
    ),
    click.option(
        "--role", type=click.Choice(ROLES), envvar="HEARTHWATCH_ROLE", show_envvar=True,
        help="As what (needed).",
    ),
    click.option(
        "--communities", type=Codes(), metavar="CODES", envvar="HEARTHWATCH_COMMUNITIES",
        show_envvar=True, help="Whose cases are theirs: codes of 12, 9 or 6 digits, with commas (needed).",
    ),
    click.option(
        "--seen", type=Whole(0), metavar="VERSION",
        help="The version that was looked at; refused if the case has gone on since. Default: as it is now.",
    ),
    click.option(
        "--id", "command_id", metavar="ID",
        help="The command's id: sent again with it (and --seen), it is answered again and not carried out"
        " again. Default: a new one.",
    ),
    click.option("--at", metavar="TIME", help="When it happens; needed with `clock: log`, and only there."),
    click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON object."),
)  # fmt: skip
