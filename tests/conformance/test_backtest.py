"""Every conformance case, as a backtest: what comes out is what other implementations give."""

from __future__ import annotations

import pytest

from rules.backtest import Backtest, read_lines
from rules.calendar import day_from_text
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from tests.conformance.agreement import by_household
from tests.conformance.case_files import Case, all_cases


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_backtest_agrees(case: Case) -> None:
    catalog = read_catalog(case.catalog)
    run = Backtest(catalog, read_policy(case.policy, catalog))
    rejections = []
    with case.events.open("rb") as file:
        for line, value in enumerate(read_lines(file), start=1):
            rejection = run.feed(line, value)
            if rejection is not None:
                rejections.append((rejection.line, rejection.reason))
    run.finish(day_from_text(case.until) if case.until else None)

    assert rejections == [(row["line"], row["reason"]) for row in case.expected("rejections")]
    assert list(run.scores()) == case.expected("scores")
    assert by_household(warning.body for warning in run.warnings) == by_household(case.expected("warnings"))
