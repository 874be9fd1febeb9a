"""Numbers of partitions: which setting counts which topic, and the most that settings and commands take."""

from __future__ import annotations

import pytest

from hearthwatch.cli.repartition import repartition
from hearthwatch.setting_kinds import MOST_PARTITIONS
from hearthwatch.settings import Settings
from hearthwatch.topic_plan import partitions_setting, planned_topics
from streams.catalog_file import read_catalog


@pytest.mark.parametrize("name", ["life", "person", "household", "warnings", "case", "alerts"])
def test_a_topics_setting_is_the_one_that_the_plan_goes_by(name: str) -> None:
    settings = Settings()
    catalog = read_catalog(settings.catalog)
    other = settings.model_copy(update={f"{name}_partitions": 77})
    counted = {topic.name for topic in planned_topics(other, catalog) if topic.partitions == 77}
    named = {
        topic.name
        for topic in planned_topics(settings, catalog)
        if partitions_setting(topic.name) == f"HEARTHWATCH_{name.upper()}_PARTITIONS"
    }
    assert named == counted != set()


def test_a_repartition_takes_as_many_as_the_settings_do() -> None:
    most = {option.name: option.type.max for option in repartition.params if hasattr(option.type, "max")}
    assert most == {"households": MOST_PARTITIONS, "persons": MOST_PARTITIONS}
    for name in ("household_partitions", "person_partitions"):
        bounds = Settings.model_fields[name].metadata
        assert MOST_PARTITIONS in [getattr(one, "le", None) for one in bounds]
