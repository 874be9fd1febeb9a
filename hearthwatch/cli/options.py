"""Options and arguments that several commands have alike."""

from __future__ import annotations

import math
from typing import Any, Final

import click

from casework.alerts.alert import PREFIX
from rules.calendar import day_from_text
from streams.errors import InputError
from streams.timestamps import is_date


class Whole(click.IntRange):
    """A whole number in a range; says so in plain words where it is none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See :class:`click.IntRange`."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"`{value}` is no whole number", param, ctx)
        least, most = self.min, self.max
        if (least is not None and number < least) or (most is not None and number > most):
            up_to = "" if most is None else f" to {most:.0f}"
            self.fail(f"{number} is out of range: expected a whole number from {least}{up_to}", param, ctx)
        return number


class Seconds(click.FloatRange):
    """A number of seconds, at least so many; says so in plain words where it is none."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See :class:`click.FloatRange`."""
        least = self.min or 0
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"`{value}` is no number: expected seconds, from {least:g}, such as 2.5", param, ctx)
        if not (math.isfinite(seconds) and seconds >= least):
            self.fail(f"{value} is out of range: expected seconds, from {least:g}", param, ctx)
        return seconds


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
