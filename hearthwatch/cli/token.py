"""``hearthwatch token``: who may use the HTTP API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import get_args

import click
from rich.table import Table

from casework.cases.commands import Role
from hearthwatch.cli.groups import Group
from hearthwatch.cli.options import Whole
from hearthwatch.screen import wide_console
from hearthwatch.settings import load_settings
from hearthwatch.tokens import Token, add_token, read_tokens, revoke_token
from streams.errors import InputError

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_FILE = click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The token file (otherwise HEARTHWATCH_TOKENS).",
)


@click.group(cls=Group)
def token() -> None:
    """Give out, list and revoke the tokens of the HTTP API.

    The file holds only the SHA-256 of each token. A running API reads it again when it changes.
    """


@token.command(
    epilog="Example: hearthwatch token add wang.mei --role community --community 420106003005 --days 90"
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(get_args(Role)),
    required=True,
    help="community, street and district work on cases; auditor reads, and reads the audit log; policy sees "
    "counts and rules, no households.",
)
@click.option(
    "--community",
    "communities",
    multiple=True,
    metavar="CODE",
    help="A community (12 digits); of a street its 9, of a district its 6 digits (repeatable).",
)
@click.option(
    "--days",
    type=Whole(1, 3650),
    default=90,
    show_default=True,
    help="How long it opens.",
)
@_FILE
@_JSON
def add(
    name: str, role: Role, communities: tuple[str, ...], days: int, file: Path | None, as_json: bool
) -> None:
    """Make a token for NAME, a person's or a program's id, and show it once.

    NAME stands in the record of what they do. The token alone goes to standard output, so it can be piped
    into a secret's file.
    """
    if not 1 <= len(name) <= 128:
        raise InputError("NAME: expected 1 to 128 characters")
    text, made = add_token(_file(file), name, role, communities, days=days)
    if as_json:
        click.echo(json.dumps({"token": text, **_shown(made)}, ensure_ascii=False, indent=2))
        return
    click.echo(text)
    click.echo(
        f"Token {made.id} of {made.name} ({made.role}) opens until {made.expires}. It is shown this once; "
        f"`hearthwatch token revoke {made.id}` ends it.",
        err=True,
    )


@token.command(name="list", epilog="Example: hearthwatch token list --json | jq '.[].name'")
@_FILE
@_JSON
def list_(file: Path | None, as_json: bool) -> None:
    """List the tokens: to whom, in which role, for which communities, until when."""
    found = read_tokens(_file(file))
    if as_json:
        click.echo(json.dumps([_shown(one) for one in found], ensure_ascii=False, indent=2))
        return
    table = Table("id", "name", "role", "communities", "made", "expires", box=None, pad_edge=False)
    now = time.time()
    for one in found:
        until = f"{one.expires} (over)" if one.is_expired(now) else one.expires
        table.add_row(one.id, one.name, one.role, ", ".join(one.communities) or "-", one.made, until)
    wide_console().print(table if found else "No tokens.")


@token.command(epilog="Example: hearthwatch token revoke 1f0c9a2e")
@click.argument("id")
@_FILE
@_JSON
def revoke(id: str, file: Path | None, as_json: bool) -> None:
    """End the token ID at once; a running API refuses it from its next request on."""
    ended = revoke_token(_file(file), id)
    if as_json:
        click.echo(json.dumps(_shown(ended), ensure_ascii=False, indent=2))
    else:
        click.echo(f"Token {ended.id} of {ended.name} is revoked.")


def _file(given: Path | None) -> Path:
    path = given or load_settings().tokens
    if path is None:
        raise InputError(
            "no token file: name one with --file or HEARTHWATCH_TOKENS, such as: export"
            " HEARTHWATCH_TOKENS=~/hearthwatch-tokens.json"
        )
    return path.expanduser().absolute()


def _shown(one: Token) -> dict[str, object]:
    """A token without its hash."""
    return {
        "id": one.id,
        "name": one.name,
        "role": one.role,
        "communities": list(one.communities),
        "made": one.made,
        "expires": one.expires,
        "is_expired": one.is_expired(time.time()),
    }
