"""The checks of ``hearthwatch doctor``: one link of the chain after the other, each with its fix.

Nothing is changed but one thing: to learn the broker's clock, and whether records can be written at all, a
record of a few bytes goes to a topic of its own (``hearthwatch.doctor``, kept for an hour).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from casework.alerts.routes_file import read_routes
from deploy.local import jars, kafka, valkey
from deploy.local.data_folder import LEAST_FREE_BYTES
from hearthwatch.casework_files import casebook_or_why, unset_addresses
from hearthwatch.connections import (
    kafka_connection,
    local_stack,
    uses_local_kafka,
    uses_local_redis,
)
from hearthwatch.counted import counted
from hearthwatch.setting_sources import CONFIG_VARIABLE, variable_of
from hearthwatch.settings import SECRETS, Settings, misspelt
from hearthwatch.topic_plan import planned_topics
from rules.policy import Policy
from rules.policy_file import read_policy
from rules.rulebook import Rulebook
from streams import kafka_clients, topics
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.errors import HearthwatchError, InputError, TransportError
from streams.policies_topic import read_activations
from streams.topics import Topic

Status = Literal["ok", "warn", "fail"]

DOCTOR_TOPIC: Final = "hearthwatch.doctor"
COMFORTABLE_FREE_BYTES: Final = 2 * 2**30
SKEW_WARN_SECONDS: Final = 1.0
SKEW_FAIL_SECONDS: Final = 30.0
"""With ``clock: wall`` a tick that is later than the broker's time of its record is ignored, so a worker's
clock ahead of the broker's loses midnights."""
START: Final = "`hearthwatch up` starts it with the workers, `hearthwatch local up` without them"
"""What to do about an embedded server that is down."""
_TIMEOUT_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: the link of the chain: ``settings``, ``disk``, ``stack``, ``kafka``, ``topics``, ``redis``,
            ``clock``, ``catalog``, ``policy``, ``casework``, ``routes``.
        message: one sentence without a full stop; with several lines for the faults of a file.
        fix: what to do; empty where nothing is to be done.
    """

    check: str
    status: Status
    message: str
    fix: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Run all checks, in the order in which a fault explains later ones."""
    yield from check_settings(settings)
    yield from check_disk(settings)
    stack = list(check_stack(settings))
    yield from stack
    is_down = any(one.status == "fail" for one in stack)
    catalog: Catalog | None = None
    try:
        catalog = read_catalog(settings.catalog)
    except InputError as error:
        yield Finding(
            "catalog", "fail", str(error), "mend the file; `hearthwatch catalog check` reads it again"
        )
    else:
        count = f"{len(catalog.departments)} departments, {len(catalog.events)} event types"
        yield Finding("catalog", "ok", f"{settings.catalog}: {count}")
    yield check_policy(settings, catalog)
    held, finding = (None, None) if is_down else activated_files(settings)
    if finding is not None:
        yield finding
    if held is not None:
        yield from check_casework(settings, *held)
    elif catalog is not None:
        yield from check_casework(settings, catalog)
    from hearthwatch.redis_checks import check_redis

    # An embedded server that is down was named by its own check.
    for one in check_kafka(settings, planned_topics(settings, catalog) if catalog else ()):
        if not (is_down and one.fix == START):
            yield one
    for one in check_redis(settings):
        if not (is_down and one.fix == START):
            yield one


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Misspelt variables, and secrets that others can read."""
    config = os.environ.get(CONFIG_VARIABLE)
    yield Finding(
        "settings", "ok", f"read from {config} and the environment" if config else "all can be used"
    )
    for told in misspelt(os.environ):
        yield Finding("settings", "warn", told, "correct its name, or unset it")
    for name in SECRETS:
        path = os.environ.get(f"{variable_of(name)}_FILE")
        if path and Path(path).stat().st_mode & 0o004:
            yield Finding("settings", "warn", f"{path} can be read by every user", f"chmod o-r {path}")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Whether the data folder can be written and has room; only embedded servers need it to work at all."""
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    elsewhere = "or choose another folder with HEARTHWATCH_DATA_DIR"
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        if uses_local_kafka(settings) or uses_local_redis(settings):
            yield Finding("disk", "fail", f"{place} cannot be written", f"make it writable, {elsewhere}")
        else:  # as in a container: workers keep nothing there
            fix = f"make it writable where `hearthwatch publish` is to run, {elsewhere}"
            yield Finding("disk", "warn", f"{place} cannot be written", fix)
        return
    free = shutil.disk_usage(place).free
    message = f"{free / 2**30:.1f} GiB are free for {settings.data_dir}"
    if free < LEAST_FREE_BYTES:
        yield Finding("disk", "fail", message, f"free some space, {elsewhere}")
    elif free < COMFORTABLE_FREE_BYTES:
        yield Finding(
            "disk", "warn", message, f"Kafka stops when its disk is full: free some space, {elsewhere}"
        )
    else:
        yield Finding("disk", "ok", message)


def check_stack(settings: Settings) -> Iterator[Finding]:
    """The embedded servers, if these settings use them."""
    used = [
        name
        for name, is_used in (("kafka", uses_local_kafka(settings)), ("valkey", uses_local_redis(settings)))
        if is_used
    ]
    binaries: dict[str, Callable[[], Path]] = {"kafka": kafka.java, "valkey": valkey.binary}
    for name in used:
        try:
            binaries[name]()
        except InputError as error:
            yield Finding("stack", "fail", str(error), "scripts/setup installs it")
    if "kafka" in used:
        missing = [jar for jar in jars.locked() if not (settings.jars_dir / jar.file_name).exists()]
        if missing:
            message = f"{len(missing)} of Kafka's {len(jars.locked())} jars are not in {settings.jars_dir}"
            yield Finding("stack", "warn", message, "`hearthwatch local fetch` fetches them")
    for status in local_stack(settings).status():
        if status.name not in used:
            continue
        message = f"the embedded {status.name} is {status.state} ({status.address})"
        if status.state == "running":
            yield Finding("stack", "ok", message)
        elif status.state == "starting":
            yield Finding("stack", "warn", message, f"wait, or see `hearthwatch local logs {status.name}`")
        else:
            why = f": {status.cause}" if status.cause else ""
            yield Finding("stack", "fail", message + why, START)


def check_policy(settings: Settings, catalog: Catalog | None) -> Finding:
    """The policy against the catalogue."""
    if catalog is None:
        return Finding(
            "policy", "warn", f"{settings.policy}: not checked without a catalogue", "mend the catalogue"
        )
    try:
        policy = read_policy(settings.policy, catalog)
    except InputError as error:
        return Finding(
            "policy", "fail", str(error), "mend the file; `hearthwatch policy check` reads it again"
        )
    count = f"{len(policy.indicators)} indicators, {len(policy.levels)} levels"
    return Finding("policy", "ok", f"{settings.policy}: {count}, fits the catalogue")


def activated_files(settings: Settings) -> tuple[tuple[Catalog, Policy] | None, Finding | None]:
    """Catalogue and policy that hold where something was activated; and what is to be said about that.

    Nothing where no broker says so, which has its own check, or where the settings' files hold.
    """
    try:
        book = Rulebook(read_activations(kafka_connection(settings, timeout_seconds=_TIMEOUT_SECONDS)))
        if not book.newest:
            return None, None
        catalog, policy = book.files(book.newest)
    except TransportError:
        return None, None
    except HearthwatchError as error:
        fix = "run the program that activated it; workers of this one stop rather than guess"
        return None, Finding("policy", "fail", str(error), fix)
    with contextlib.suppress(OSError):
        own = settings.policy.read_bytes(), settings.catalog.read_bytes()
        held = book.activations[-1].files
        if own == (held.policy, held.catalog):
            return (catalog, policy), None
    return (catalog, policy), Finding(
        "policy", "ok",
        f"the data goes by policy {policy.id} version {policy.version} and catalogue {catalog.id} version"
        f" {catalog.version} (activation {book.newest}), not by these files",
    )  # fmt: skip


def check_casework(settings: Settings, catalog: Catalog, policy: Policy | None = None) -> Iterator[Finding]:
    """The book of cases, the measures and the routes, against catalogue and policy (the settings')."""
    try:
        policy = policy or read_policy(settings.policy, catalog)
    except InputError:  # told by its own check
        return
    try:
        book = casebook_or_why(settings, catalog, policy)
    except InputError as error:
        yield Finding(
            "casework", "fail", str(error), "mend the file; `hearthwatch casebook check` reads it again"
        )
        return
    if isinstance(book, str):
        yield Finding(
            "casework", "warn", "no cases are worked: the shipped book does not fit the policy", book
        )
        return
    count = 0 if book.assistance is None else len(book.assistance.measures)
    yield Finding("casework", "ok", f"{settings.casebook}: book {book.id}, {count} measures, fits the policy")
    if settings.routes is None:
        yield Finding(
            "routes", "warn", "nobody is alerted: there are no routes", "name them in HEARTHWATCH_ROUTES"
        )
        return
    try:
        routes = read_routes(settings.routes, policy)
    except InputError as error:
        yield Finding(
            "routes", "fail", str(error), "mend the file; `hearthwatch routes check` reads it again"
        )
        return
    told = f"{settings.routes}: {counted(len(routes.teams), 'team is', 'teams are')} told"
    if lacks := unset_addresses(settings, routes, os.environ):
        yield Finding(
            "routes", "warn", "\n".join([f"{told}; but not by all channels, here:", *lacks]),
            "set them where dispatch runs; its channels fail until then",
        )  # fmt: skip
        return
    yield Finding("routes", "ok", told)


def check_kafka(settings: Settings, planned: tuple[Topic, ...]) -> Iterator[Finding]:
    """The brokers, the topics, and the brokers' clock."""
    try:
        connection = kafka_connection(settings, timeout_seconds=_TIMEOUT_SECONDS)
        with kafka_clients.admin(connection) as admin:
            brokers = len(admin.describe_cluster()["brokers"])
        states = topics.describe(connection, planned)
    except HearthwatchError as error:
        local = uses_local_kafka(settings)
        yield Finding(
            "kafka",
            "fail",
            str(error),
            START if local else "see that it runs, and the HEARTHWATCH_KAFKA_* settings",
        )
        return
    message = (
        f"{counted(brokers, 'broker')} at {settings.kafka_bootstrap} ({settings.kafka_security_protocol})"
    )
    if brokers < settings.replication_factor:
        yield Finding(
            "kafka",
            "fail",
            f"{message}, fewer than {settings.replication_factor} copies need",
            f"set HEARTHWATCH_REPLICATION_FACTOR to {brokers} at most, or add brokers",
        )
    else:
        yield Finding("kafka", "ok", message)
    yield from _topics(states)
    yield from _kafka_clock(settings, connection)


def _topics(states: tuple[topics.TopicState, ...]) -> Iterator[Finding]:
    missing = [state.topic.name for state in states if state.state == "missing"]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        yield Finding("topics", "fail", f"missing: {shown}", "`hearthwatch topics create` makes them")
    for state in states:
        if state.state == "differs":
            what = ", ".join(
                f"{one.setting} is {one.found or 'unset'}, not {one.expected}" for one in state.differences
            )
            fix = "alter the topic on the broker, or the setting here; partitions cannot be made fewer"
            yield Finding("topics", "fail", f"{state.topic.name}: {what}", fix)
    if states and all(state.is_good for state in states):
        yield Finding("topics", "ok", f"all {len(states)} are as planned")


def _kafka_clock(settings: Settings, connection: kafka_clients.Connection) -> Iterator[Finding]:
    """Write one record and compare the time that the broker stamped it with."""
    probe = Topic(
        DOCTOR_TOPIC,
        1,
        settings.replication_factor,
        {"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000"},
        "written by hearthwatch doctor",
    )
    try:
        topics.create(connection, [probe])
        with _closing(kafka_clients.producer(connection)) as producer:
            producer.send(DOCTOR_TOPIC, b"warm").get(timeout=_TIMEOUT_SECONDS)
            before = time.time()
            answer: Any = producer.send(DOCTOR_TOPIC, b"time").get(timeout=_TIMEOUT_SECONDS)
            after = time.time()
    except Exception as error:  # noqa: BLE001 - whatever kafka-python raises, the finding is the same
        yield Finding(
            "kafka",
            "fail",
            f"a record cannot be written ({kafka_clients.one_line(error)})",
            f"allow this user to create and write {DOCTOR_TOPIC}, and see the brokers' logs",
        )
        return
    yield skew_finding(settings, "Kafka", answer.timestamp / 1000, before, after)


def skew_finding(settings: Settings, server: str, theirs: float, before: float, after: float) -> Finding:
    """Compare a server's clock, read between two looks at ours, with ours (all in seconds since 1970)."""
    ahead = before - theirs if theirs < before else after - theirs if theirs > after else 0.0
    amount = f"{abs(ahead):.1f} s"
    if abs(ahead) < SKEW_WARN_SECONDS:
        return Finding(
            "clock", "ok", f"{server} and this machine agree within {max(abs(ahead), after - before):.3f} s"
        )
    is_bad = abs(ahead) >= SKEW_FAIL_SECONDS and settings.clock == "wall"
    direction = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "clock",
        "fail" if is_bad else "warn",
        f"this machine's clock is {amount} {direction} that of {server}",
        "let NTP set the clocks of all machines",
    )


class _closing:  # noqa: N801 - as contextlib.closing, with a time limit
    """Close a producer at the end without waiting for a broker that went away."""

    def __init__(self, producer: kafka_clients.Producer) -> None:
        self._producer = producer

    def __enter__(self) -> kafka_clients.Producer:
        return self._producer

    def __exit__(self, *_: object) -> None:
        self._producer.abandon()
