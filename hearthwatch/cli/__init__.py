"""The ``hearthwatch`` command: a table of subcommands, each imported when it is called.

Exit status: 0 done, 1 the check or operation found problems, 2 bad input, 3 a server did not answer,
130 interrupted (0 where Ctrl-C is the ordinary end of a command, as of ``watch``).
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from hearthwatch import __version__
from hearthwatch.cli.groups import Group
from hearthwatch.logs import log_to_stderr, quiet
from streams.errors import FileFaults, HearthwatchError, InputError, TransportError

COMMANDS: dict[str, str] = {
    "api": "hearthwatch.cli.api:api",
    "audit": "hearthwatch.cli.audit:audit",
    "backtest": "hearthwatch.cli.backtest:backtest",
    "case": "hearthwatch.cli.case:case",
    "casebook": "hearthwatch.cli.casebook:casebook",
    "catalog": "hearthwatch.cli.catalog:catalog",
    "deadletters": "hearthwatch.cli.deadletters:deadletters",
    "demo": "hearthwatch.cli.demo:demo",
    "doctor": "hearthwatch.cli.doctor:doctor",
    "down": "hearthwatch.cli.up:down",
    "generate": "hearthwatch.cli.generate:generate",
    "household": "hearthwatch.cli.household:household",
    "import": "hearthwatch.cli.import_synthea:import_group",
    "ledger": "hearthwatch.cli.ledger:ledger",
    "local": "hearthwatch.cli.local:local",
    "log": "hearthwatch.cli.log:log",
    "measures": "hearthwatch.cli.measures:measures",
    "policy": "hearthwatch.cli.policy:policy",
    "publish": "hearthwatch.cli.publish:publish",
    "rebuild": "hearthwatch.cli.rebuild:rebuild",
    "repartition": "hearthwatch.cli.repartition:repartition",
    "routes": "hearthwatch.cli.routes:routes",
    "silence": "hearthwatch.cli.silence:silence",
    "status": "hearthwatch.cli.status:status",
    "story": "hearthwatch.cli.story:story",
    "tick": "hearthwatch.cli.tick:tick",
    "token": "hearthwatch.cli.token:token",
    "topics": "hearthwatch.cli.topics:topics",
    "up": "hearthwatch.cli.up:up",
    "watch": "hearthwatch.cli.watch:watch",
    "worker": "hearthwatch.cli.worker:worker",
    "yield": "hearthwatch.cli.yield_command:yield_",
}
"""Name of a subcommand -> ``module:attribute`` of its click command, in alphabetical order."""


SECTIONS: dict[str, tuple[str, ...]] = {
    "Begin": ("demo", "up", "status", "down", "doctor"),
    "Events, households, warnings": ("publish", "watch", "household", "deadletters"),
    "Cases and help": ("case", "casebook", "measures", "routes", "silence", "yield"),
    "Rules, and trying them out": (
        "policy", "catalog", "story", "backtest", "generate", "import", "tick", "log",
    ),
    "Operations": (
        "api", "token", "audit", "worker", "local", "topics", "ledger", "rebuild", "repartition",
    ),
}  # fmt: skip
"""The subcommands as `--help` groups them; those that stand nowhere come last."""

_OF_A_FILE = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Faults of a file that a command was given or was to write, as far as it has no better words for them."""


class LazyGroup(Group):
    """A group whose commands are imported when they are asked for.

    A command whose module is not there is left out of the list and unknown when called; one whose module
    fails for any other reason fails loudly.
    """

    def __init__(self, *args: Any, table: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._table})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, each with its whole first sentence."""
        left = dict.fromkeys(self.list_commands(ctx))
        sections = [(title, [name for name in names if name in left]) for title, names in SECTIONS.items()]
        told = {name for _, names in sections for name in names}
        for title, names in [*sections, ("Commands", [name for name in left if name not in told])]:
            self.format_some(ctx, formatter, title, names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = self._table.get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        module_name, _, attribute = target.partition(":")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name == module_name:
                return None
            raise
        command = getattr(module, attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is no click command")
        return command


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="New here? Type `hearthwatch demo`. Something wrong? Type `hearthwatch doctor`.",
)
@click.version_option(__version__, "--version", prog_name="hearthwatch")
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Read settings from this TOML or YAML file (as HEARTHWATCH_CONFIG does).",
)
@click.option("-v", "--verbose", is_flag=True, help="Also show what the clients of Kafka and Redis log.")
def root(config: str | None, verbose: bool) -> None:
    """Watch over families in difficulty: department life events in, explained household warnings out.

    Settings come from HEARTHWATCH_* variables or a file; docs/reference/settings.md lists them all.
    """
    if config is not None:
        # In the environment, so that worker processes started from here read the same file.
        os.environ["HEARTHWATCH_CONFIG"] = os.path.abspath(config)  # noqa: PTH100 - must not follow links
    if verbose:
        log_to_stderr("info", "text")
    else:
        quiet()


def main(args: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status; no traceback for a fault of input or network."""
    sys.exit(run(args))


def _show(error: click.ClickException) -> None:
    """As click does, but a faulty value without its ``Invalid value for '--seen'``."""
    is_value = isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter)
    if is_value and isinstance(error, click.BadParameter):
        hint = error.param_hint
        if hint is None and error.param is not None and error.ctx is not None:
            hint = error.param.get_error_hint(error.ctx)
        if hint is not None:
            names = " / ".join([hint] if isinstance(hint, str) else hint).replace("'", "").strip("[]")
            error = click.UsageError(f"{names}: {error.message}", error.ctx)
    error.show()


def run(args: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    try:
        result = root.main(args=args, prog_name="hearthwatch", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        click.echo("Interrupted.", err=True)
        return 130
    except click.ClickException as error:
        _show(error)
        return 2 if isinstance(error, click.FileError) else error.exit_code
    except FileFaults as error:
        from hearthwatch.cli.faults import faults_text

        click.echo(faults_text(error), err=True)
        return 2
    except InputError as error:
        click.echo(str(error), err=True)
        return 2
    except TransportError as error:
        click.echo(str(error), err=True)
        return 3
    except HearthwatchError as error:
        click.echo(str(error), err=True)
        return 1
    except BrokenPipeError:
        # The reader of our output left, as `head` does; give the interpreter nothing more to flush there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno not in _OF_A_FILE or error.filename is None:
            raise
        click.echo(f"{error.filename}: {os.strerror(error.errno).lower()}", err=True)
        return 2
    return result if isinstance(result, int) else 0
