"""Asking before something is done that cannot be taken back."""

from __future__ import annotations

import sys

import click

#: How a command is told that nobody need be asked.
YES = "--yes"


def ask(question: str, *, what: str) -> None:
    """Go on only where somebody says yes.

    Args:
        what: what is about to happen, for who cannot be asked: ``this erases all data``.

    Raises:
        click.UsageError: there is no terminal; it names :data:`YES`.
        click.exceptions.Exit: the answer was no.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}: say so with {YES}")
    if not click.confirm(question):
        click.echo("Left as it is.")
        raise click.exceptions.Exit(1)
