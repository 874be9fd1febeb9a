"""`hearthwatch case list`, `show` and `suggest` on the whole system, and what goes on record of them."""

from __future__ import annotations

import getpass
import json
import time
from typing import Any

import pytest

from streams.audit import Entry
from streams.errors import PublishTimeoutError
from tests.api.town import DEADLINE_SECONDS, Town, opened
from tests.api.typed import ANNA, HERE, Cli, done, on_record, shown


def test_lists_are_filtered_and_the_most_urgent_come_first(town: Town, case: Cli) -> None:
    near, far = "420106022001", "420106022002"
    levels = {"LQ1": "blue", "LQ2": "red", "LQ3": "yellow", "LQ4": "orange", "LQ5": "red"}
    ids = {home: opened(town, home, far if home == "LQ5" else near, level) for home, level in levels.items()}
    done(case("ack", ids["LQ3"], by=("mei", "community", near)))

    def listed(*words: str, **more: Any) -> list[str]:
        return [one["household"] for one in done(case("list", *words, "--json", **more)).lines]

    everything = ["LQ2", "LQ5", "LQ4", "LQ3", "LQ1"]  # LQ2 was opened before LQ5
    assert listed("--community", "420106022") == everything
    assert listed("--community", near, "--community", far) == everything
    assert listed("--community", near) == ["LQ2", "LQ4", "LQ3", "LQ1"]
    assert listed(by=("mei", "community", far)) == ["LQ5"]
    assert listed("--community", "420106022", "--level", "red") == ["LQ2", "LQ5"]
    assert listed("--community", "420106022", "--state", "acknowledged") == ["LQ3"]
    assert listed("--community", "420106022", "--overdue") == []
    assert listed("--community", "420106022", "--in-time") == everything
    pages = [listed("--community", "420106022", "--limit", "2", "--page", n) for n in "123"]
    assert pages == [["LQ2", "LQ5"], ["LQ4", "LQ3"], ["LQ1"]]
    assert set(everything) <= set(listed("--limit", "5000"))
    said = done(case("list", "--community", "420106022", "--limit", "2", "--page", "2"))
    assert said.err == "Cases 3 to 4 of 5; for more: --page 3\n"
    head, first, second = said.out.splitlines()
    assert head.split()[:4] == ["level", "case", "state", "due"]
    assert ("LQ4-1" in first, "LQ3-1" in second, "acknowledged" in second) == (True, True, True)
    assert "\x1b" not in said.out


def test_a_page_past_the_last_says_which_is_the_last_and_fails(town: Town, case: Cli) -> None:
    where = ("--community", "420106024001")
    for home in ("PL1", "PL2", "PL3"):
        opened(town, home, where[1])
    for words in ((), ("--json",)):
        said = case("list", *where, "--limit", "2", "--page", "3", *words)
        assert (said.status, said.out) == (1, "")
        assert said.err == "Page 3 is past the last, which is 2 (3 in all, 2 a page).\n"
    said = case("list", *where, "--page", "2", "--lang", "zh")
    assert (said.status, said.err) == (1, "没有第 2 页，最后一页是第 1 页（共 3 件，每页 50 件）。\n")
    assert done(case("list", *where, "--state", "visited")).out == "No open case is like that.\n"
    said = case("list", *where, "--state", "visited", "--page", "2")
    assert (said.status, said.err) == (1, "Page 2 is past the last, which is 1 (0 in all, 50 a page).\n")


def test_what_is_looked_at_and_sent_is_on_record_first(town: Town, case: Cli) -> None:
    id = opened(town, "K11", "420106023001")
    done(case("list", "--community", "420106023001", "--state", "new"))
    done(case("show", id))
    done(case("suggest", id))
    done(case("ack", id, "--id", "K11-ack", "--seen", "1", by=("mei", "community", "420106023001")))
    found = [one for one in on_record(town, id) if one.by.startswith("hearthwatch case")]
    assert [(one.kind, one.what, one.result, one.by) for one in found] == [
        ("read", "cases", "ok", "hearthwatch case list"),
        ("read", "case", "ok", "hearthwatch case show"),
        ("read", "history", "ok", "hearthwatch case show"),
        ("read", "alerts", "ok", "hearthwatch case show"),
        ("read", "suggestions", "ok", "hearthwatch case suggest"),
        ("change", "case", "sent", "hearthwatch case ack"),
        ("change", "case", "done", "hearthwatch case ack"),
    ]
    assert found[0].query == {"community": "420106023001", "state": "new"}
    assert {one.who.id for one in found if one.who is not None} == {getpass.getuser()}
    assert {one.households for one in found} == {("K11",)}
    # The login that sent it, and as whom.
    assert found[-1].query == {"command": "acknowledge", "as": "mei", "role": "community"}
    assert found[-1].request == "K11-ack"


def test_nothing_is_shown_or_sent_where_the_audit_log_does_not_take_it(
    town: Town, case: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = opened(town, "K12", HERE)

    async def write(self: Any, *entries: Entry) -> None:
        raise PublishTimeoutError("the audit log did not take the record")

    with monkeypatch.context() as patched:
        patched.setattr("hearthwatch.audit_log.AuditWriter.write", write)
        for words in (("list", "--community", HERE), ("show", id), ("suggest", id), ("ack", id)):
            said = case(*words, by=ANNA)
            assert (said.status, said.out) == (3, ""), words
            assert "the audit log did not take the record" in said.err
        said = case("show", "K12")
        assert (said.status, "K12-1" in said.err) == (3, False)
    assert shown(case, id)["version"] == 1


def test_what_would_help_is_suggested_by_the_causes_that_were_assessed(town: Town, case: Cli) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = {
        "specversion": "1.0", "id": "k13", "time": now, "type": "registry.household.registered",
        "subject": "household/K13", "source": "/wuchang/civil-affairs", "data": {"community": HERE},
    }  # fmt: skip
    file = town.folder / "k13.jsonl"
    file.write_text(json.dumps(told) + "\n")
    assert town.run("publish", str(file)).returncode == 0
    id = opened(town, "K13", HERE)
    done(case("visit", id, "--outcome", "met", by=ANNA))
    done(case("assess", id, "--level", "severe", "--cause", "law-and-debt", by=ANNA))
    until = time.monotonic() + DEADLINE_SECONDS
    while not (found := done(case("suggest", id, "--json")).lines):
        assert time.monotonic() < until
    assert found[0]["measure"] == "legal-aid"
    said = done(case("suggest", id, "--lang", "zh"))
    assert said.out.startswith("1. 法律援助 (legal-aid)")
    assert said.err == "值得了解的措施，由工作人员决定\n"
