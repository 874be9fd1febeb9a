"""``hearthwatch up --observe``: Prometheus with the alert rules beside the workers of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

import deploy.grafana
from deploy.local.prometheus import NOT_INSTALLED, Prometheus, binary
from deploy.local.stack import Progress
from hearthwatch.run_folder import WorkerState
from hearthwatch.settings import Settings

DASHBOARDS = Path(deploy.grafana.__path__[0]).absolute() / "dashboards"


def prometheus_of(settings: Settings) -> Prometheus:
    """The Prometheus of these settings; nothing is started."""
    return Prometheus(settings.data_dir / "prometheus", settings.prometheus_port)


def start_observing(
    settings: Settings, workers: Sequence[WorkerState], progress: Progress
) -> Prometheus | None:
    """Start Prometheus on these workers; None where it is not installed.

    Raises:
        LocalStackError: its port is in use.
        StartError: it does not start.
    """
    if binary() is None:
        return None
    prometheus = prometheus_of(settings)
    prometheus.up([worker.url.removeprefix("http://") for worker in workers], progress)
    return prometheus


def say_where(settings: Settings) -> None:
    """Say where Prometheus is and how a Grafana is pointed at it, or why there is none."""
    if binary() is None:
        click.echo(f"Nobody observes: {NOT_INSTALLED}. The rest runs.", err=True)
        return
    url = prometheus_of(settings).url
    click.echo(
        f"Prometheus is at {url}, its alerts at {url}/alerts.\n"
        f"In a Grafana, add a data source of the type Prometheus with the URL {url}, and import the"
        f" dashboards in {DASHBOARDS}."
    )
