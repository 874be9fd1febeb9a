"""The page docs/reference/cli.md, written from the commands themselves.

    python -m hearthwatch.cli.reference > docs/reference/cli.md

A test compares the page with what this writes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

HEAD = """\
# Command line

Written from the commands (`python -m hearthwatch.cli.reference`); `--help` says the same.

Exit status of every command: 0 done, 1 the check or operation found problems, 2 bad input, 3 a server did not
answer, 130 interrupted (0 where Ctrl-C is the ordinary end: of `watch`, `up`, `worker` and `api`, once
they run). Messages go to standard error, results to standard output; `--json` gives results to programs.
"""


def cli_reference(root: click.Group) -> str:
    """The page in Markdown: one heading a command."""
    return "\n".join([HEAD, *_sections(root, click.Context(root, info_name="hearthwatch"))])


def commands(root: click.Group) -> Iterator[str]:
    """The full names of all commands, groups included."""
    for context, _ in _walk(root, click.Context(root, info_name="hearthwatch")):
        yield context.command_path


def _walk(group: click.Group, context: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield inner, command
        if isinstance(command, click.Group):
            yield from _walk(command, inner)


def _sections(root: click.Group, context: click.Context) -> Iterator[str]:
    yield "## hearthwatch\n"
    yield from _body(root, context)
    for inner, command in _walk(root, context):
        depth = "##" if inner.parent is context else "###"
        yield f"{depth} {inner.command_path}\n"
        yield from _body(command, inner)


def _body(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```\n{usage}\n```\n"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "") + "\n"
    options = [row for row in (_row(one, context) for one in command.get_params(context)) if row is not None]
    if options:
        yield "| option | meaning |\n|---|---|\n" + "\n".join(options) + "\n"
    if command.epilog:
        yield command.epilog + "\n"


def _row(parameter: click.Parameter, context: click.Context) -> str | None:
    record = parameter.get_help_record(context)
    if record is None or "--help" in parameter.opts:
        return None
    names, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
    return f"| `{names}` | {meaning} |"


if __name__ == "__main__":
    from hearthwatch.cli import root

    sys.stdout.write(cli_reference(root))
