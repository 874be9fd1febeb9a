"""``hearthwatch repartition``: another number of partitions for the households' log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from hearthwatch.cli.rebuild import Tell, as_made, shown
from hearthwatch.connections import kafka_connection
from hearthwatch.run_folder import RunFolder
from hearthwatch.running import in_force, open_ledger
from hearthwatch.settings import Settings, load_settings
from hearthwatch.topic_plan import planned_topics
from hearthwatch.worker_config import worker_config
from streams import topics
from streams.errors import InputError
from streams.records import HOUSEHOLD_FACTS
from streams.snapshots import snapshot_topic

if TYPE_CHECKING:
    from agents.app import WorkerConfig


@click.command(
    epilog="Example: hearthwatch down --keep-servers && hearthwatch repartition --household 24 --yes"
)
@click.option(
    "--household",
    "count",
    type=click.IntRange(1, 1_000),
    required=True,
    help="Partitions of household.facts.",
)
@click.option("--yes", is_flag=True, help="Do not ask: the old log of the households is deleted.")
def repartition(count: int, yes: bool) -> None:
    """Give household.facts another number of partitions, and each household its place there.

    Stop all workers first, and back up Kafka and Redis. What is under way is applied, every household is
    written to its new partition and to new snapshots, and the topic begins anew: its records so far are
    deleted, so `hearthwatch log export` and `rebuild --from-log` begin here. Warnings go on with their
    numbers. If it is interrupted, run it again. Afterwards set HEARTHWATCH_HOUSEHOLD_PARTITIONS.
    """
    settings = in_force(load_settings())
    if RunFolder(settings.data_dir).running() is not None:
        raise InputError("workers are running: stop them first with `hearthwatch down --keep-servers`")
    if not yes:
        click.confirm(f"Delete the log of {HOUSEHOLD_FACTS}, and begin it anew?", abort=True)
    settings = as_made(settings)
    config = worker_config(settings, name="repartition", is_static=False, metrics_port=None)
    with shown(False) as tell:
        states = asyncio.run(_run(settings, config, count, tell))
    click.echo(
        f"{HOUSEHOLD_FACTS} has {count} partitions, and {states} households are in their places.\n"
        f"Set HEARTHWATCH_HOUSEHOLD_PARTITIONS={count} before you start anything."
    )


async def _run(settings: Settings, config: WorkerConfig, count: int, tell: Tell) -> int:
    from agents.rebuild.repartition import Repartition

    ledger = open_ledger(settings)

    async def remake(number: int) -> None:
        wanted = settings.model_copy(update={"household_partitions": number})
        plan = [
            topic
            for topic in planned_topics(wanted, config.catalog)
            if topic.name in (HOUSEHOLD_FACTS, snapshot_topic("household"))
        ]
        await asyncio.to_thread(topics.remake, kafka_connection(settings), plan)

    try:
        return await Repartition(config, ledger, remake=remake, tell=tell).run(count)
    finally:
        await ledger.close()
