"""The yield of cases that were worked on real servers: what the topics hold is what was done."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.api.town import DEADLINE_SECONDS, Client, Town, warning

PLACE = "420106015001"
"""A community of this file alone: other tests open cases in this town too."""


def because(*indicators: tuple[str, str]) -> list[dict[str, Any]]:
    """(indicator, department) as a warning gives them."""
    return [
        {
            "indicator": indicator,
            "dimension": "economy",
            "points": 20,
            "person": None,
            "facts": [{"source": f"/wuchang/{department}", "id": "e1", "subject": "household/x"}],
        }
        for indicator, department in indicators
    ]


def warn(town: Town, desk: Client, household: str, *indicators: tuple[str, str]) -> str:
    """A warning on its topic, twice, as a worker that died sends it; its case, once the desk sees it."""
    body = json.loads(warning(household, 1, PLACE))
    body["data"]["because"] = because(*indicators)
    value = json.dumps(body).encode()
    town.send("warnings", (household, value), (household, value))
    until = time.monotonic() + DEADLINE_SECONDS
    while (found := desk.get(f"/v1/cases/{household}-1")).status_code == 404:
        assert time.monotonic() < until, found.text
    return f"{household}-1"


def work(desk: Client, case: str, *steps: tuple[str, dict[str, Any]]) -> None:
    for step, (command, data) in enumerate(steps):
        seen = desk.get(f"/v1/cases/{case}").json()["version"]
        answer = desk.command(case, command, seen, f"{case}-{step}", **data)
        assert answer.status_code == 200, answer.text


def told(town: Town, *args: str) -> dict[str, Any]:
    done = town.run("yield", "--json", "--community", PLACE, *args)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_was_done_is_what_is_counted(town: Town, desk: Client) -> None:
    bills, work_lost = ("hospital-bills", "medical-insurance"), ("out-of-work", "human-resources")
    needy = warn(town, desk, "Y1", bills, work_lost)
    quiet = warn(town, desk, "Y2", bills)
    warn(town, desk, "Y3", work_lost)
    met = ("visit", {"outcome": "met"})
    work(desk, needy, ("acknowledge", {}), met, ("assess", {"level": "severe"}))
    work(desk, quiet, met, ("close", {"code": "no-need"}))
    found = told(town, "--small-cells")
    counts = found["total"]["counts"]
    assert {name: counts[name] for name in ("warned", "open", "waiting", "visited", "need", "helped")} == {
        "warned": 3, "open": 2, "waiting": 1, "visited": 2, "need": 1, "helped": 0
    }  # fmt: skip
    assert found["total"]["codes"] == {"no-need": 1}
    assert (
        found["total"]["rates"]["need_of_visited"]["hits"],
        found["total"]["rates"]["need_of_visited"]["of"],
    ) == (
        1,
        2,
    )
    rows = {row["id"]: row["counts"]["warned"] for row in found["by"]["department"]}
    assert rows == {"medical-insurance": 2, "human-resources": 2}
    assert {row["id"]: row["counts"]["need"] for row in found["by"]["indicator"]} == {
        "hospital-bills": 1, "out-of-work": 1
    }  # fmt: skip
    hidden = told(town)
    # Whether the 3 are shown depends on the town's other communities.
    assert hidden["total"]["counts"]["need"] is None
    assert hidden["total"]["rates"]["need_of_warned"] is None


def test_the_table_and_the_page_come_from_the_same_topics(town: Town, desk: Client) -> None:
    page = town.folder / "yield.html"
    before = town.run("audit", "list", "--json").stdout
    done = town.run("yield", "--by", "street", "--html", str(page))
    assert done.returncode == 0, done.stderr
    assert "By street" in done.stdout
    assert page.read_text("utf-8").startswith("<!doctype html>")
    # Counts are no look at a household: nothing is put on record.
    assert town.run("audit", "list", "--json").stdout == before
