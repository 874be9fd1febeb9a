"""The page of the HTTP API says what the code says."""

from __future__ import annotations

from typing import get_args

from casework.cases.case_events import Reason
from casework.cases.commands import DATA
from casework.cases.page import rewritten
from hearthwatch.api.app import HANDLERS
from hearthwatch.api.cases import CommandName
from hearthwatch.api.measuring import ApiMetrics
from hearthwatch.api.page import parts
from hearthwatch.api.problems import STATUS
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "http-api.md"


def test_routes_roles_and_problems_are_what_the_code_has() -> None:
    written = PAGE.read_text("utf-8")
    assert written == rewritten(written, parts()), (
        "write it anew: python -m hearthwatch.api.page docs/reference/http-api.md"
    )
    for handler in HANDLERS:
        if handler.include_in_schema:
            (path,) = handler.paths
            assert path.replace(":str", "") in written


def test_each_reason_of_a_refused_command_has_a_status() -> None:
    assert set(get_args(Reason)) <= set(STATUS)


def test_the_description_knows_every_command() -> None:
    assert get_args(CommandName) == tuple(DATA)


def test_each_metric_of_the_api_is_on_the_page() -> None:
    written = PAGE.read_text("utf-8")
    for family in ApiMetrics().registry.collect():
        assert f"`{family.name}" in written, family.name
