"""Options and arguments that several commands have alike."""

from __future__ import annotations

from typing import Final

import click

from casework.alerts.alert import PREFIX
from rules.calendar import day_from_text
from streams.errors import InputError
from streams.timestamps import is_date

LANG: Final = click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language."
)


def parse_day(text: str | None, option: str = "--until") -> int | None:
    """A day that was typed, in days since 1970-01-01; None where none was.

    Raises:
        InputError: it is no date.
    """
    if text is None:
        return None
    if not is_date(text):
        raise InputError(f"{option}: `{text}` is no date: expected YYYY-MM-DD, such as 2026-01-31")
    return day_from_text(text)


def check_code(text: str) -> None:
    """Check the code of a district, a street or a community; empty: all of them.

    Raises:
        InputError: it is none.
    """
    if text and not PREFIX.fullmatch(text):
        raise InputError(f"`{text}` is no code: expected 6, 9 or 12 digits")
