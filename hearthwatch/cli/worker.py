"""``hearthwatch worker``: one stage in one process, for production and for ``hearthwatch up``."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Literal

import click

from hearthwatch.cli.options import Whole
from hearthwatch.logs import log_to_stderr
from hearthwatch.settings import Settings, load_settings, misspelt
from hearthwatch.worker_config import worker_config
from streams.errors import HearthwatchError, InputError, TransportError

logger = logging.getLogger(__name__)

STAGES = ("intake", "person", "household")
"""From events to warnings."""
CASE_STAGES = ("forward", "cases", "dispatch")
"""From warnings to help."""


@click.command(
    epilog="Example: HEARTHWATCH_KAFKA_BOOTSTRAP=kafka-1:9092,kafka-2:9092 hearthwatch worker household"
)
@click.argument("stage", type=click.Choice(STAGES + CASE_STAGES))
@click.option(
    "--name",
    metavar="NAME",
    help="The same at each start and nobody else's: the brokers then take a restart for a pause "
    "(otherwise HEARTHWATCH_WORKER_NAME; without either, the stage and the process id).",
)
@click.option(
    "--metrics-port",
    type=Whole(0, 65535),
    help="Where metrics are served; 0 takes any free port (otherwise HEARTHWATCH_<STAGE>_METRICS_PORT).",
)
@click.option("--supervised", is_flag=True, hidden=True, help="Leave when standard input ends.")
def worker(
    stage: Literal["intake", "person", "household", "forward", "cases", "dispatch"],
    name: str | None,
    metrics_port: int | None,
    supervised: bool,
) -> None:
    """Run one STAGE of the pipeline until SIGTERM or Ctrl-C.

    intake validates and repartitions what departments send; person decides where persons belong; household
    scores and warns. forward passes warnings on; cases keeps what becomes of them; dispatch tells people
    (HEARTHWATCH_ROUTES). Start as many of each as there are partitions to share; `hearthwatch up` starts one
    of each. Metrics, /healthz and /readyz are served over HTTP.
    """
    settings = load_settings(worker_name=name)
    name = settings.worker_name or f"{stage}-{os.getpid()}"
    log_to_stderr(settings.log_level, settings.log_format, stage=stage, worker=name)
    for told in misspelt(os.environ):
        logger.warning("%s", told)
    if supervised:
        leave_with_parent()
    port = metrics_port if metrics_port is not None else metrics_port_of(settings, stage)
    from agents.process import run_worker

    try:
        config = worker_config(
            settings,
            name=name,
            is_static=settings.worker_name is not None,
            metrics_port=port,
            stage=stage,
        )
        run_worker(stage, config)
    except HearthwatchError as error:
        # Its text alone is for people; whoever collects lines of JSON needs a line.
        if settings.log_format == "json":
            logger.critical("%s", error, extra={"error": type(error).__name__})
            click.get_current_context().exit(status_of(error))
        raise


def status_of(error: HearthwatchError) -> int:
    """The exit status that the root of the command line gives it."""
    return 2 if isinstance(error, InputError) else 3 if isinstance(error, TransportError) else 1


def metrics_port_of(settings: Settings, stage: str) -> int:
    """The port that the settings give a stage."""
    port: int = getattr(settings, f"{stage}_metrics_port")
    return port


def leave_with_parent() -> None:
    """Stop as on SIGTERM when standard input ends: the supervisor, dead or alive, has let go of it."""

    def wait() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would outlive the interpreter
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
