"""What has to stand before workers can run: servers, topics, and a ledger made with the same files."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agents.ledger import Charter, KafkaCharter, Ledger
from agents.redis_link import RedisLink
from deploy.local.stack import Progress
from hearthwatch.connections import (
    kafka_arguments,
    kafka_connection,
    local_stack,
    redis_home,
    uses_local_kafka,
    uses_local_redis,
)
from hearthwatch.run_folder import RunFolder
from hearthwatch.settings import Settings
from hearthwatch.topic_plan import is_laid_out, leads, partitions_setting, planned_topics
from rules.policy import Policy
from rules.rulebook import Rulebook
from streams import topics
from streams.catalog import Catalog
from streams.errors import InputError
from streams.policies import LANGUAGE, POLICIES, Files
from streams.policies_topic import append, read_activations
from streams.topics import Difference, Topic

#: A command line does not wait for Redis as long as a worker would.
PATIENCE_SECONDS = 10.0


def uses_local(settings: Settings) -> bool:
    """Whether the settings mean an embedded server."""
    return uses_local_kafka(settings) or uses_local_redis(settings)


def open_ledger(settings: Settings, *, on_refusal: Callable[[str], None] | None = None) -> Ledger:
    """The ledger of these settings, for a command line; close it."""
    return Ledger(
        RedisLink(redis_home(settings), patience_seconds=PATIENCE_SECONDS),
        KafkaCharter(kafka_arguments(settings), timeout_seconds=PATIENCE_SECONDS),
        name=settings.redis_namespace,
        on_refusal=on_refusal,
    )


def in_force(settings: Settings) -> Settings:
    """The settings, with the catalogue, policy and clock of the workers that run on this machine, if any do.

    `hearthwatch up --policy FILE` told them alone; a later command in another terminal means the same file.
    """
    state = RunFolder(settings.data_dir).running()
    if state is None:
        return settings
    files = {"catalog": Path(state.catalog), "policy": Path(state.policy), "clock": state.clock}
    return settings.model_copy(update=files)


def prepare(
    settings: Settings,
    catalog: Catalog,
    policy: Policy,
    progress: Progress = lambda what, done, total: None,
) -> Rulebook:
    """Start the embedded servers where they are meant, open the ledger, create the topics.

    The files are activated if nothing was before; what is activated is returned, and holds.

    Raises:
        InputError: a topic exists with other settings.
        LedgerMismatchError: the data was made with another clock or, before activations were kept, with
            other files.
        HearthwatchError: a server does not start or does not answer.
    """
    if uses_local(settings):
        local_stack(settings).up(progress)
    progress("Opening the ledger", 0, 0)
    planned = planned_topics(settings, catalog)
    create_topics(settings, [topic for topic in planned if topic.name == topics.LEDGER])
    # Before the topics: it knows best what has changed.
    asyncio.run(_open(settings, {"clock": settings.clock}))
    progress("Creating topics", 0, 0)
    create_topics(settings, [topic for topic in planned if topic.name == POLICIES])
    book = founded(settings, lambda: (catalog, policy))
    for one in book.activations:
        create_topics(settings, planned_topics(settings, book.catalog(one.number)))
    return book


def founded(settings: Settings, read: Callable[[], tuple[Catalog, Policy]]) -> Rulebook:
    """Everything that was activated, and that is never nothing: the files of a first start are number 1.

    Several may do this at once with the same files: what repeats the one before changes nothing.

    Args:
        read: reads and checks the settings' files; only asked where nothing was activated yet.

    Raises:
        LedgerMismatchError: there is data already, made with other files.
        TransportError: a server does not answer, or the topic is missing.
    """
    connection = kafka_connection(settings)
    found = read_activations(connection, needed=True)
    if not found:
        catalog, policy = read()
        asyncio.run(_open(settings, {"catalog": catalog.digest, "policy": policy.digest}))
        append(connection, files_of(settings.policy, settings.catalog))
        found = read_activations(connection, needed=True)
    return Rulebook(found)


def files_of(policy: Path, catalog: Path) -> Files:
    """Two files as they are activated.

    Raises:
        InputError: one cannot be read.
    """
    try:
        return Files(LANGUAGE, policy.read_bytes(), policy.name, catalog.read_bytes(), catalog.name)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror or error}") from None


def create_topics(settings: Settings, planned: Sequence[Topic]) -> None:
    """Create the topics that are missing.

    Raises:
        InputError: one exists with other settings.
        TransportError: the broker does not answer or refuses.
    """
    states = topics.create(kafka_connection(settings), planned)
    found = [(state.topic.name, one) for state in states for one in state.differences]
    if found:
        wrong = [
            f"the topic {name} has {one.setting}={one.found}, expected {one.expected}" for name, one in found
        ]
        more = [f"(and {len(wrong) - 5} more)"] if len(wrong) > 5 else []
        raise InputError("\n".join([*wrong[:5], *more, *_ways_back(settings, found)]))


def _ways_back(settings: Settings, found: Sequence[tuple[str, Difference]]) -> Iterator[str]:
    """What to do about topics that differ.

    Where states are laid out by another number of partitions than the topic has, somebody added some by hand:
    to set the setting would let workers begin households anew that have states elsewhere.
    """
    counts = {name: int(one.found) for name, one in found if one.setting == "partitions"}
    started = Counter(topic for _, topic, _ in _charter(settings).started) if counts else Counter()
    by_hand = [
        name for name, count in counts.items() if started[name] not in (0, count) and is_laid_out(name)
    ]
    set_to: dict[str, set[int]] = defaultdict(set)
    for name, count in counts.items():
        set_to[partitions_setting(name) or name].add(count)
    is_clear = not by_hand and all(len(several) == 1 for several in set_to.values())
    is_clear = is_clear and set(set_to) == {partitions_setting(name) for name in counts if leads(name)}
    texts = [f"{setting}={min(several)}" for setting, several in sorted(set_to.items())]
    if by_hand:
        yield (
            f"partitions were added to {', '.join(by_hand)} by other means than `hearthwatch repartition`,"
            " and the states lie by the old number: restore Kafka from a backup"
            " (docs/how-to/change-partitions.md)"
        )
    elif counts and is_clear:
        yield f"set {' and '.join(texts)}, as the topics are (docs/how-to/change-partitions.md)"
    if len(counts) < len(found) or not (by_hand or is_clear):
        yield (
            "set what else differs back with Kafka's own tools, or change the settings (HEARTHWATCH_CLOCK,"
            " HEARTHWATCH_*_PARTITIONS) to what the data was made with"
        )


def _charter(settings: Settings) -> Charter:
    async def ask() -> Charter:
        store = KafkaCharter(kafka_arguments(settings), timeout_seconds=PATIENCE_SECONDS)
        try:
            return await store.read()
        finally:
            await store.close()

    return asyncio.run(ask())


def began_anew(settings: Settings, topic: str) -> str | None:
    """When `hearthwatch repartition` began a topic anew, as RFC 3339 has it; None where its log is whole.

    Raises:
        BrokerUnavailableError: nobody answers.
    """
    return _charter(settings).anew.get(topic)


async def _open(settings: Settings, made_with: dict[str, str]) -> None:
    ledger = open_ledger(settings)
    try:
        await ledger.open(made_with)
    finally:
        await ledger.close()
