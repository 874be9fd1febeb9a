"""``hearthwatch api``: the HTTP API in one process."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from hearthwatch.cli.options import Whole
from hearthwatch.cli.worker import leave_with_parent, status_of
from hearthwatch.logs import log_to_stderr
from hearthwatch.settings import load_settings, misspelt
from streams.errors import HearthwatchError

logger = logging.getLogger(__name__)


@click.command(epilog="Example: hearthwatch api --tokens tokens.json --port 8443")
@click.option("--host", metavar="HOST", help="Where to serve (otherwise HEARTHWATCH_API_HOST).")
@click.option(
    "--port",
    type=Whole(0, 65535),
    help="The port; 0 takes any free one (otherwise HEARTHWATCH_API_PORT).",
)
@click.option(
    "--tokens",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The token file (otherwise HEARTHWATCH_TOKENS).",
)
@click.option("--name", hidden=True, help="What `hearthwatch up` calls it.")
@click.option("--supervised", is_flag=True, hidden=True, help="Leave when standard input ends.")
def api(host: str | None, port: int | None, tokens: Path | None, name: str | None, supervised: bool) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C.

    Cases, households, warnings and changes for consoles and programs that show a token (`hearthwatch token
    add`); every look and every change goes into the audit log. /v1/openapi.json describes it. It speaks TLS
    with HEARTHWATCH_API_CERT_FILE and HEARTHWATCH_API_KEY_FILE. Start as many as you like.
    """
    settings = load_settings(api_host=host, api_port=port, tokens=tokens)
    log_to_stderr(settings.log_level, settings.log_format, stage="api", worker=name or f"api-{os.getpid()}")
    for told in misspelt(os.environ):
        logger.warning("%s", told)
    if supervised:
        leave_with_parent()
    from hearthwatch.api.serve import run_api

    # A server that does not answer at the start is told in one line, by us and not by its client.
    clients = logging.getLogger("aiokafka")
    if settings.log_level != "debug":
        clients.setLevel(logging.CRITICAL)

    def ready(url: str) -> None:
        clients.setLevel(logging.NOTSET)
        logger.info("the HTTP API is at %s", url)

    try:
        run_api(settings, ready=ready)
    except HearthwatchError as error:
        if settings.log_format == "json":  # whoever collects lines of JSON needs a line
            logger.critical("%s", error, extra={"error": type(error).__name__})
            click.get_current_context().exit(status_of(error))
        raise
