"""Topics as the design needs them: made where missing, compared where they exist."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kafka.errors import BrokerResponseError, NetworkExceptionError, NotEnoughReplicasError

from streams import kafka_clients, topics
from streams.catalog import Catalog
from streams.errors import BrokerUnavailableError, TransportError
from streams.kafka_clients import Connection
from streams.topics import Topic
from tests.publish.broker import Broker


def by_name(planned: tuple[Topic, ...]) -> dict[str, Topic]:
    return {topic.name: topic for topic in planned}


def test_the_plan_has_a_topic_per_department_and_the_pipelines_own(catalog: Catalog, department: str) -> None:
    assert list(by_name(topics.planned(catalog, clock="wall"))) == [
        f"life.{department}",
        "person.events",
        "household.facts",
        "warnings",
        "case.commands",
        "case.events",
        "alerts",
        "alert.events",
        "audit",
        "deadletters",
        "hearthwatch.ledger",
        "hearthwatch.policies",
        "hearthwatch.snapshots.intake",
        "hearthwatch.snapshots.person",
        "hearthwatch.snapshots.household",
        "hearthwatch.snapshots.forward",
        "hearthwatch.snapshots.cases",
        "hearthwatch.snapshots.dispatch",
    ]


def test_in_wall_the_broker_stamps_what_departments_send(catalog: Catalog, department: str) -> None:
    life = by_name(topics.planned(catalog, clock="wall", life_retention_days=10))[f"life.{department}"]
    assert life.settings["message.timestamp.type"] == "LogAppendTime"
    assert life.settings["retention.ms"] == "864000000"


def test_in_log_the_publisher_stamps_and_nothing_goes_by_age(catalog: Catalog, department: str) -> None:
    life = by_name(topics.planned(catalog, clock="log"))[f"life.{department}"]
    assert life.settings["message.timestamp.type"] == "CreateTime"
    # The events' own times may lie years before or after now.
    assert life.settings["retention.ms"] == "-1"
    assert int(life.settings["message.timestamp.after.max.ms"]) == 2**63 - 1


def test_deadlines_pass_by_the_records_own_time(catalog: Catalog) -> None:
    wall, log = (by_name(topics.planned(catalog, clock=clock)) for clock in ("wall", "log"))
    for name in ("case.commands", "alerts"):
        assert wall[name].settings["message.timestamp.type"] == "LogAppendTime"
        assert log[name].settings["message.timestamp.type"] == "CreateTime"
        assert int(log[name].settings["message.timestamp.before.max.ms"]) == 2**63 - 1


def test_what_a_rebuild_reads_is_kept_long_enough(catalog: Catalog) -> None:
    planned = by_name(topics.planned(catalog, clock="wall", log_retention_days=30))
    for name in ("person.events", "household.facts", "case.commands", "alerts"):
        assert planned[name].settings["retention.ms"] == str(30 * 86_400_000)
        assert planned[name].settings["cleanup.policy"] == "delete"
        assert by_name(topics.planned(catalog, clock="log"))[name].settings["retention.ms"] == "-1"
    for name in ("intake", "person", "household", "forward", "cases", "dispatch"):
        snapshots = planned[f"hearthwatch.snapshots.{name}"]
        assert snapshots.settings["cleanup.policy"] == "compact"
        assert int(snapshots.settings["min.compaction.lag.ms"]) > 0
    assert planned["hearthwatch.snapshots.household"].partitions == planned["household.facts"].partitions
    assert planned["hearthwatch.snapshots.cases"].partitions == planned["case.commands"].partitions
    assert planned["hearthwatch.snapshots.dispatch"].partitions == planned["alerts"].partitions
    assert planned["audit"].partitions == 1
    for name in ("warnings", "case.events", "alert.events", "audit", "deadletters"):
        assert planned[name].settings["retention.ms"] == "-1"
        assert planned[name].settings["retention.bytes"] == "-1"
        assert planned[name].settings["cleanup.policy"] == "delete"
    assert planned["hearthwatch.ledger"].settings["cleanup.policy"] == "compact"


def test_a_dead_letter_topic_takes_more_than_a_department_may_send(catalog: Catalog, department: str) -> None:
    planned = by_name(topics.planned(catalog, clock="wall"))
    assert int(planned["deadletters"].settings["max.message.bytes"]) > int(
        planned[f"life.{department}"].settings["max.message.bytes"]
    )


def test_creating_is_repeatable_and_says_what_it_did(broker: Broker, catalog: Catalog) -> None:
    # Those without a department's name are shared by the tests of this broker, whatever their clock is.
    other = topics.planned(catalog, clock="wall")
    planned = [
        topic
        for topic in topics.planned(catalog, clock="log")
        if topic.name.startswith("life.") or topic in other
    ]
    missing = topics.describe(broker.connection, planned[:1])
    assert [state.state for state in missing] == ["missing"]
    made = topics.create(broker.connection, planned)
    assert made[0].state == "created"
    assert all(state.is_good for state in made)
    again = topics.create(broker.connection, planned)
    assert [state.state for state in again] == ["as-planned"] * len(planned)


def test_an_existing_topic_with_other_settings_is_named_and_left_alone(
    broker: Broker, catalog: Catalog
) -> None:
    life = topics.planned(catalog, clock="log", life_partitions=3)[0]
    topics.create(broker.connection, [life])
    other = topics.planned(catalog, clock="wall", life_partitions=2)[0]
    (state,) = topics.create(broker.connection, [other])
    assert state.state == "differs"
    found = {difference.setting: (difference.expected, difference.found) for difference in state.differences}
    assert found["partitions"] == ("2", "3")
    assert found["message.timestamp.type"] == ("LogAppendTime", "CreateTime")
    assert topics.describe(broker.connection, [life])[0].state == "as-planned"


def test_a_topic_that_the_broker_refuses_is_named(broker: Broker, catalog: Catalog) -> None:
    three = replace(topics.planned(catalog, clock="log")[0], replication=3)
    with pytest.raises(TransportError, match=rf"does not create the topic {three.name}: .*replication"):
        topics.create(broker.connection, [three])


def test_a_broker_that_is_not_there_is_one_clear_line(catalog: Catalog) -> None:
    nowhere = Connection("127.0.0.1:1", timeout_seconds=0.5)
    with pytest.raises(BrokerUnavailableError) as told:
        topics.describe(nowhere, topics.planned(catalog, clock="wall"))
    assert "no Kafka broker answers at 127.0.0.1:1" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("error", [NotEnoughReplicasError(), NetworkExceptionError()])
def test_what_a_broker_cannot_do_for_now_is_told_as_that(error: BrokerResponseError) -> None:
    """Not every answer has a description."""
    told = str(Connection("kafka:9092").failure(error))
    assert told.startswith("Kafka at kafka:9092 cannot do this now, try again: ")


def test_what_a_broker_refuses_is_not_told_as_a_broker_that_is_away(broker: Broker) -> None:
    with pytest.raises(TransportError) as told, kafka_clients.admin(broker.connection) as admin:
        admin.delete_topics(["nobody.has.this"])
    assert not isinstance(told.value, BrokerUnavailableError)
    assert "does not do this: UNKNOWN_TOPIC_OR_PARTITION (" in str(told.value)
    assert len(str(told.value)) < 200
