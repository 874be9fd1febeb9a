"""Rejection (events, section 4): registry events and retractions."""

from __future__ import annotations

from typing import Any

import pytest

from streams.envelope import Decoder
from tests.streams.judged import JOINED, LEFT, REGISTERED, RETRACTED
from tests.streams.wire import catalog, line, reason


def test_built_in_types(decoder: Decoder) -> None:
    assert decoder.line(line(**REGISTERED)).data == {"community": "420106001001"}
    joined = decoder.line(line(**JOINED))
    assert (joined.subject, joined.data) == ("p-1", {"household": "h-1", "role": "head"})
    assert decoder.line(line(**LEFT)).data == {"reason": "moved"}
    assert decoder.line(line(**RETRACTED)).supersedes == "v-0"


@pytest.mark.parametrize("built_in", [REGISTERED, JOINED, LEFT])
def test_registry_types_come_from_registry_departments_only(
    decoder: Decoder, built_in: dict[str, Any]
) -> None:
    for department, expected in (
        ("civil-affairs", "accepted"),
        ("public-security", "accepted"),
        ("health", "wrong-department"),
    ):
        assert reason(decoder, line(**{**built_in, "source": f"/wuchang/{department}"})) == expected


def test_a_retraction_comes_from_every_department_about_a_person_or_a_household(decoder: Decoder) -> None:
    for department in ("health", "civil-affairs", "public-security"):
        for subject, about_person in (("person/p-1", True), ("household/h-1", False)):
            told = decoder.line(line(**{**RETRACTED, "source": f"/wuchang/{department}", "subject": subject}))
            assert told.about_person is about_person
    assert reason(decoder, line(**{**RETRACTED, "source": "/wuchang/fire"})) == "wrong-department"
    assert reason(decoder, line(**{**RETRACTED, "subject": "family/h-1"})) == "bad-subject"


@pytest.mark.parametrize("supersedes", [..., None])
def test_a_retraction_without_supersedes_is_no_cloudevent(decoder: Decoder, supersedes: object) -> None:
    assert reason(decoder, line(**{**RETRACTED, "supersedes": supersedes})) == "not-cloudevent"


@pytest.mark.parametrize(
    ("built_in", "field", "good", "bad"),
    [
        (
            REGISTERED,
            "community",
            ["000000000000"],
            [None, "42010600100", "4201060010011", "４２０１０６００１００１", 5],
        ),
        (REGISTERED, "address_ref", ["x", "", "汉" * 200, None], ["x" * 201, 5]),
        (
            JOINED,
            "household",
            ["h", "x" * 64, "A.b_c-9"],
            [None, "", "x" * 65, "h 1", "household/h-1", "~p-1", 5],
        ),
        (
            JOINED,
            "role",
            ["head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other"],
            [None, "aunt", ""],
        ),
        (JOINED, "birth", ["1980-02-29", None], ["1981-02-29", "1980", 5]),
        (JOINED, "sex", ["female", "male", None], ["f", ""]),
        (LEFT, "reason", ["moved", "died", "other"], [None, "Moved", ""]),
        (RETRACTED, "reason", ["x", "", "汉" * 200], [None, "x" * 201, 5]),
    ],
)
def test_fields_of_built_in_types(
    decoder: Decoder, built_in: dict[str, Any], field: str, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        told = decoder.line(line(**{**built_in, "data": {**built_in["data"], field: value}}))
        assert told.data.get(field) == value
    for value in bad:
        assert reason(decoder, line(**{**built_in, "data": {**built_in["data"], field: value}})) == "bad-data"


def test_subjects_of_built_in_types(decoder: Decoder) -> None:
    assert reason(decoder, line(**{**REGISTERED, "subject": "person/p-1"})) == "bad-subject"
    assert reason(decoder, line(**{**JOINED, "subject": "household/h-1"})) == "bad-subject"
    assert reason(decoder, line(**{**LEFT, "subject": "household/h-1"})) == "bad-subject"


def test_supersedes_of_a_registry_event_has_no_effect(decoder: Decoder) -> None:
    """It is carried no further; its own id there is malformed all the same."""
    assert decoder.line(line(**JOINED, supersedes="j-0")).supersedes is None
    assert reason(decoder, line(**JOINED, supersedes="v-1")) == "not-cloudevent"


def test_a_catalogue_without_registry_lets_nobody_send_registry_types() -> None:
    from dataclasses import replace

    assert reason(Decoder(replace(catalog(), registry=())), line(**JOINED)) == "wrong-department"
