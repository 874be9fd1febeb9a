"""A worker: one stage in one process, wired together and run until it is told to stop.

Every stage is a Faust app of its own, with its own consumer group: aiokafka's assignor balances the number
of partitions over all topics of a group, so stages that shared one would not be balanced each.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from agents.backlog import Backlog
from agents.cases import CasesStage
from agents.deadlines import Deadlines, case_tick
from agents.deciding import Monitor, Stage
from agents.deliveries import Deliveries
from agents.dispatch import DispatchStage
from agents.flow import Flow
from agents.forward import ForwardStage
from agents.household import HouseholdStage
from agents.intake import Intake
from agents.ledger import LEDGER_TOPIC, CharterStore, KafkaCharter, Ledger
from agents.metrics import StageMetrics
from agents.person import PersonStage
from agents.poison import SetAside
from agents.policies import Activator, PolicyFeed
from agents.redis_link import RedisHome, RedisLink
from agents.senders import Senders
from agents.signals import Signals
from agents.snapshots import Snapshots
from agents.stage import Engine
from agents.standing import Standing
from agents.surroundings import Surroundings
from agents.ticks import Midnights
from casework.alerts.inputs import encode_due
from casework.alerts.routes import Routes
from casework.cases.book import Book
from rules.calendar import Calendar
from rules.compile import compile_policy
from rules.policy import Policy
from rules.rulebook import Rulebook
from streams.batches import BatchApp, Consumer, Untouched
from streams.catalog import Catalog
from streams.errors import InputError
from streams.policies import Activation
from streams.producer import OrderedProducer
from streams.records import ALERTS, CASE_COMMANDS
from streams.snapshots import snapshot_topic

logger = logging.getLogger(__name__)

StageName = Literal["intake", "person", "household", "forward", "cases", "dispatch"]
STAGES: Final[tuple[StageName, ...]] = ("intake", "person", "household")
"""From events to warnings."""
CASE_STAGES: Final[tuple[StageName, ...]] = ("forward", "cases", "dispatch")
"""From warnings to help."""
ALL_STAGES: Final[tuple[StageName, ...]] = STAGES + CASE_STAGES

STOP_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to know; settings become this in ``hearthwatch``.

    Attributes:
        kafka: arguments of aiokafka's clients (``bootstrap_servers``, ``security_protocol``, ...).
        redis: where the ledger is.
        catalog, policy: checked, those of the newest activation; without any, their digests are compared with
            those that the data was made with, and they stay.
        activations: what ``hearthwatch.policies`` holds; later ones are followed.
        clock: ``wall``: the broker's time and real midnights; ``log``: only records move the day.
        namespace: begins the ledger's keys and the names of the consumer groups.
        topic_prefix: begins the names of all topics but the ledger's, where several systems share a broker.
        ledger_topic: where the charter of the ledger is kept.
        worker: its name, in logs and in the ledger.
        instance: the group's static member id; a restart within ``session_seconds`` then moves nothing.
        metrics_host, metrics_port: where metrics are served; no port: nowhere.
        max_fetch: records in one fetch. max_part: in one commit, unless the stage's own number.
        max_outstanding: records that are fetched and not committed, before fetching waits.
        cache_bytes: encoded states kept in memory, of all partitions together.
        snapshot_seconds: how long a change waits for its snapshot; None: no snapshots are taken.
        snapshot_states: one is taken earlier where a partition has written so many states.
        casebook: what cases are worked by; without one there is no stage `cases`.
        routes: who is told of what; without them there is no stage `dispatch`.
    """

    kafka: Mapping[str, Any] = field(repr=False)
    redis: RedisHome = field(repr=False)
    catalog: Catalog = field(repr=False)
    policy: Policy = field(repr=False)
    clock: Literal["wall", "log"] = "wall"
    namespace: str = "hearthwatch"
    topic_prefix: str = ""
    ledger_topic: str = LEDGER_TOPIC
    worker: str = "worker"
    instance: str | None = None
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    max_fetch: int = 4_000
    max_part: int | None = None
    max_outstanding: int = 20_000
    cache_bytes: int = 134_217_728
    session_seconds: float = 10.0
    activations: Sequence[Activation] = field(default=(), repr=False)
    snapshot_seconds: float | None = None
    snapshot_states: int = 20_000
    casebook: Book | None = field(default=None, repr=False)
    routes: Routes | None = field(default=None, repr=False)


def stage_of(name: StageName, config: WorkerConfig) -> Stage:
    """The stage of a name.

    Raises:
        NotUnderstoodError: the newest activation is beyond this program.
        InputError: the stage needs a file that is not given.
    """
    if name == "person":
        return PersonStage()
    if name == "forward":
        return ForwardStage(clock=config.clock)
    if name == "cases":
        if config.casebook is None:
            raise InputError("the stage `cases` needs a book of cases (HEARTHWATCH_CASEBOOK)")
        return CasesStage(config.casebook, clock=config.clock)
    if name == "dispatch":
        if config.routes is None:
            raise InputError("the stage `dispatch` needs to know whom to tell (HEARTHWATCH_ROUTES)")
        return DispatchStage(config.routes, config.policy, clock=config.clock)
    book = Rulebook(config.activations) if config.activations else None
    if name == "intake":
        return Intake(config.catalog if book is None else book.catalog(book.newest), book=book)
    rules = compile_policy(config.policy, config.catalog) if book is None else book.rules(book.newest)
    return HouseholdStage(rules, clock=config.clock, book=book)


class Worker:
    """One stage at work in this event loop.

    Args:
        metrics: told of everything; the engine's monitor too, unless another is given.
        stage, charter, connect_producer, signals: tests give their own.
    """

    def __init__(
        self,
        stage: Stage,
        config: WorkerConfig,
        *,
        monitor: Monitor | None = None,
        metrics: StageMetrics | None = None,
        charter: CharterStore | None = None,
        connect_producer: Callable[[], Any] | None = None,
        signals: Signals | None = None,
    ) -> None:
        self.stage = stage
        self.config = config
        self.signals = signals or Signals()
        self.failed = asyncio.Event()
        """Set when the worker cannot go on; :attr:`failure` says why."""
        self.failure: BaseException | None = None
        self.ledger = Ledger(
            RedisLink(config.redis, on_retry=None if metrics is None else metrics.redis_retry),
            charter or KafkaCharter(config.kafka, topic=config.ledger_topic),
            name=config.namespace,
        )
        self.surroundings = None if metrics is None else Surroundings(config.redis, metrics)
        self.producer = OrderedProducer(
            config.kafka,
            topics=stage.sends_to,
            prefix=config.topic_prefix,
            connect=connect_producer,
            on_retry=None if metrics is None else metrics.kafka_retry,
            on_ack=None if self.surroundings is None else self.surroundings.broker_stamped,
        )
        self._set_aside = SetAside(
            config.kafka, self.producer, prefix=config.topic_prefix, signals=self.signals
        )
        self.engine = Engine(
            stage,
            self.ledger,
            self.producer,
            self._set_aside,
            worker=config.worker,
            prefix=config.topic_prefix,
            monitor=monitor or metrics,
            signals=self.signals,
            max_part=config.max_part,
            cache_bytes=config.cache_bytes,
        )
        self.engine.on_beyond = self._failed
        self.standing = Standing(self.engine)
        self._flow = Flow(config.kafka, self.ledger, prefix=config.topic_prefix)
        self.midnights: Midnights | None = None
        """Appends ticks, in a household worker by the wall clock."""
        if isinstance(stage, HouseholdStage) and stage.clock == "wall":
            self.midnights = Midnights(
                self.engine, self._flow, catalog=config.catalog, calendar=stage.rules.calendar
            )
        self.deadlines: Deadlines | None = None
        """Appends ticks where a deadline has come, in a worker of cases or dispatch by the wall clock."""
        if isinstance(stage, CasesStage) and stage.clock == "wall":
            self.deadlines = Deadlines(self.engine, CASE_COMMANDS, case_tick)
        if isinstance(stage, DispatchStage) and stage.clock == "wall":
            self.deadlines = Deadlines(self.engine, ALERTS, encode_due)
        self.deliveries = Deliveries(self.engine, stage) if isinstance(stage, DispatchStage) else None
        """Sends what was decided, in a dispatch worker."""
        if metrics is not None and isinstance(stage, DispatchStage):
            metrics.expect_routes(stage.routes.channels, stage.routes.wording.levels)
        self.activator: Activator | None = None
        """Follows activations and brings them to the partitions; leaves where one is not understood."""
        if config.activations:
            feed = PolicyFeed(config.kafka, prefix=config.topic_prefix, after=config.activations[-1])
            # Person goes by no policy, but tells which one holds.
            book = stage.book if isinstance(stage, HouseholdStage | Intake) else None
            self.activator = Activator(
                self.engine,
                feed,
                book or Rulebook(config.activations),
                on_new=self._activated,
                on_failure=self._failed,
            )
            self.engine.look = self.activator.look
        self.snapshots: Snapshots | None = None
        """Takes snapshots of what this worker's partitions hold."""
        self._snapshot_producer: OrderedProducer | None = None
        if config.snapshot_seconds is not None:
            # Of its own, so that nothing of the stream waits behind a snapshot.
            self._snapshot_producer = OrderedProducer(
                config.kafka, topics=[snapshot_topic(stage.name)], prefix=config.topic_prefix
            )
            self.snapshots = Snapshots(
                self.engine,
                self._snapshot_producer,
                interval_seconds=config.snapshot_seconds,
                most_states=config.snapshot_states,
            )
            if metrics is not None and stage.keeps_states:
                metrics.series.watch("hearthwatch_snapshot_age_seconds", self.snapshots.ages)
        self._metrics = metrics
        self.senders: Senders | None = None
        """Knows when departments last sent, in an intake worker by the wall clock."""
        if metrics is not None:
            for sent_to in stage.sends_to:
                metrics.series.add("hearthwatch_kafka_retries_total", (config.topic_prefix + sent_to,), 0)
            if isinstance(stage, Intake) and config.clock == "wall":
                self.senders = Senders(config.kafka, self.engine, metrics)
        self._goes_by(config.catalog, config.policy)
        self.app = self._faust()
        self.engine.bind(lambda: cast(Consumer, self.app.consumer))
        self.backlog = Backlog(self.engine, self.app)

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.config.namespace}-{self.stage.name}"

    def _static_member(self) -> str | None:
        """This worker's name in its group.

        Kafka takes a static member that comes back for one that paused, and gives it what it had, whatever it
        reads now: so one that reads other topics has another name.
        """
        if self.config.instance is None:
            return None
        return f"{self.config.instance}-{zlib.crc32(' '.join(self.stage.topics).encode()):08x}"

    def _faust(self) -> BatchApp:
        config = self.config
        app = BatchApp(
            self.group,
            owner=self.engine.holding,
            kafka=config.kafka,
            max_outstanding=config.max_outstanding,
            on_failure=self._failed,
            broker="batched://",  # the addresses are in `kafka`, in aiokafka's own form
            broker_client_id=f"{self.group}-{config.worker}",
            broker_max_poll_records=config.max_fetch,
            broker_session_timeout=config.session_seconds,
            broker_heartbeat_interval=config.session_seconds / 10,
            broker_rebalance_timeout=60.0,
            broker_commit_interval=2.0,
            consumer_group_instance_id=self._static_member(),
            consumer_max_fetch_size=1_048_576,
            key_serializer="raw",
            value_serializer="raw",
            stream_wait_empty=True,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            worker_redirect_stdouts=False,
        )
        names = [config.topic_prefix + topic for topic in self.stage.topics]
        topic = app.topic(*names, value_serializer=Untouched(), key_serializer="raw", acks=False)
        engine = self.engine

        async def work(stream: Any) -> None:
            await engine.run(stream)

        app.agent(topic, name=f"{self.group}-agent")(work)
        return app

    def _activated(self, activation: Activation) -> None:
        assert self.activator is not None
        catalog, policy = self.activator.book.files(activation.number)
        if self.midnights is not None:
            self.midnights.follow(catalog, Calendar(policy.timezone))
        self._goes_by(catalog, policy)
        self.signals.emit("activated", number=activation.number)

    def _goes_by(self, catalog: Catalog, policy: Policy) -> None:
        """Tell metrics which files hold, and whom and what to expect by them."""
        if self._metrics is not None:
            self._metrics.about(worker=self.config.worker, catalog=catalog.digest, policy=policy.digest)
            self._metrics.expect(catalog.departments, [level.id for level in policy.levels])
        if self.senders is not None:
            self.senders.expect(catalog)

    def _failed(self, reason: BaseException) -> None:
        if self.failure is None:
            self.failure = reason
            self.failed.set()

    async def start(self) -> None:
        """Connect, and begin to work as soon as partitions are assigned.

        Raises:
            LedgerError: Kafka and Redis do not belong together, or other files made the data.
            TransportError: a server does not answer, or a topic is missing.
        """
        config = self.config
        if config.activations:
            await self.ledger.open()
        else:
            await self.ledger.open({"catalog": config.catalog.digest, "policy": config.policy.digest})
        if self.activator is not None:
            await self.activator.look()
        await self.producer.start()
        if self._snapshot_producer is not None:
            await self._snapshot_producer.start()
        if self.deliveries is not None:
            await self.deliveries.start()
        await self.app.start()
        for watcher in (
            self.midnights, self.deadlines, self.surroundings, self.senders, self.activator, self.snapshots,
            self.standing, self.backlog,
        ):  # fmt: skip
            if watcher is not None:
                self.engine.spawn(watcher.run())
        self.signals.emit("ready", worker=config.worker)

    async def stop(self) -> None:
        """Finish what runs, commit it, leave the group."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.app.stop()
        except TimeoutError:
            logger.warning(
                "the worker did not stop in %d s; what it had begun will be repeated", STOP_SECONDS
            )
        await self.engine.close()
        if self.deliveries is not None:
            await self.deliveries.close()
        await self.producer.stop()
        if self._snapshot_producer is not None:
            await self._snapshot_producer.stop()
        await self._set_aside.close()
        await self._flow.close()
        if self.activator is not None:
            await self.activator.close()
        await self.ledger.close()
