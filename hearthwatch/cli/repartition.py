"""``hearthwatch repartition``: another number of partitions for the households' log, or the persons'."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from hearthwatch.cli.asking import ask
from hearthwatch.cli.options import Whole
from hearthwatch.cli.rebuild import Tell, as_made, shown
from hearthwatch.connections import kafka_connection
from hearthwatch.counted import counted
from hearthwatch.run_folder import RunFolder
from hearthwatch.running import in_force, open_ledger
from hearthwatch.setting_kinds import MOST_PARTITIONS
from hearthwatch.settings import Settings, load_settings
from hearthwatch.topic_plan import planned_topics
from hearthwatch.worker_config import worker_config
from streams import topics
from streams.errors import InputError
from streams.records import HOUSEHOLD_FACTS, PERSON_EVENTS
from streams.snapshots import snapshot_topic

if TYPE_CHECKING:
    from agents.app import WorkerConfig

_NUMBER = Whole(1, MOST_PARTITIONS)


@click.command(
    epilog="Example: hearthwatch down --keep-servers && hearthwatch repartition --household 24 --yes"
)
@click.option("--household", "households", type=_NUMBER, help="Partitions of household.facts.")
@click.option("--person", "persons", type=_NUMBER, help="Partitions of person.events.")
@click.option("--yes", is_flag=True, help="Do not ask: the old log of the households is deleted.")
def repartition(households: int | None, persons: int | None, yes: bool) -> None:
    """Give household.facts or person.events another number of partitions, and each key its place there.

    Stop all workers first, and back up Kafka and Redis. What is under way is applied, every household is
    written to its new partition and to new snapshots, and the topic begins anew: its records so far are
    deleted, so `hearthwatch log export` begins here and `rebuild --from-log` is refused. With --person the
    same is done with every person, and household.facts begins anew too. Warnings go on with their numbers. If
    it is interrupted, run it again. Afterwards set HEARTHWATCH_HOUSEHOLD_PARTITIONS and
    HEARTHWATCH_PERSON_PARTITIONS.
    """
    if households is None and persons is None:
        raise click.UsageError("say --household N, --person N or both")
    settings = in_force(load_settings())
    if RunFolder(settings.data_dir).running() is not None:
        raise InputError("workers are running: stop them first with `hearthwatch down --keep-servers`")
    if not yes:
        topics_named = " and ".join(_topics(persons))
        what = f"this deletes the log of {topics_named}"
        ask(f"Delete the log of {topics_named}, and begin it anew?", what=what)
    settings = as_made(settings)
    config = worker_config(settings, name="repartition", is_static=False, metrics_port=None)
    with shown(False) as tell:
        states = asyncio.run(_run(settings, config, households, persons, tell))
    for topic, count, setting in (
        (HOUSEHOLD_FACTS, households, "HEARTHWATCH_HOUSEHOLD_PARTITIONS"),
        (PERSON_EVENTS, persons, "HEARTHWATCH_PERSON_PARTITIONS"),
    ):
        if count is not None:
            click.echo(
                f"{topic} has {counted(count, 'partition')}. Set {setting}={count} before you start anything."
            )
    click.echo(counted(states, "household is in its place.", "households are in their places."))


def _topics(persons: int | None) -> list[str]:
    return [HOUSEHOLD_FACTS] if persons is None else [PERSON_EVENTS, HOUSEHOLD_FACTS]


async def _run(
    settings: Settings, config: WorkerConfig, households: int | None, persons: int | None, tell: Tell
) -> int:
    from agents.rebuild.repartition import Repartition

    ledger = open_ledger(settings)

    async def remake(counts: Mapping[str, int]) -> None:
        wanted = settings.model_copy(update={f"{stage}_partitions": count for stage, count in counts.items()})
        names = {"household": HOUSEHOLD_FACTS, "person": PERSON_EVENTS}
        anew = {name for stage in counts for name in (names[stage], snapshot_topic(stage))}
        plan = [topic for topic in planned_topics(wanted, config.catalog) if topic.name in anew]
        await asyncio.to_thread(topics.remake, kafka_connection(settings), plan)

    try:
        work = Repartition(config, ledger, remake=remake, tell=tell)
        return await work.run(household=households, person=persons)
    finally:
        await ledger.close()
