"""Groups of commands."""

from __future__ import annotations

from collections.abc import Iterable

import click


class Group(click.Group):
    """A group that lists its commands with their whole first sentence: click's own cuts it to one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_some(ctx, formatter, "Commands", self.list_commands(ctx))

    def format_some(
        self, ctx: click.Context, formatter: click.HelpFormatter, title: str, names: Iterable[str]
    ) -> None:
        """Some of the commands, under a title."""
        rows = []
        for name in names:
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(limit=1_000)))
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
