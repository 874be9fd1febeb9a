"""`hearthwatch case` on the whole system: cases worked from the list to the code by commands alone."""

from __future__ import annotations

from typing import Any

import pytest

from hearthwatch.desk import Desk
from streams.errors import PublishTimeoutError
from tests.api.town import DISTRICT, Town, opened
from tests.api.typed import ANNA, HERE, NEXT_DOOR, SUN, Cli, done, on_record, shown


# -- the work ----------------------------------------------------------------------------------------
def test_a_case_is_worked_from_its_warning_to_its_code(town: Town, case: Cli) -> None:
    id = opened(town, "K1", HERE, "red")
    (listed,) = done(case("list", "--community", HERE, "--level", "red", "--json")).lines
    assert (listed["id"], listed["state"], listed["is_overdue"]) == (id, "new", False)
    told = done(case("ack", id, by=ANNA)).out
    assert told.startswith(f"{id}: acknowledged, version 2 (command ")
    assert "Next: visit by " in told
    finding = ("income.earnings.assessed", "person/K1P", '{"monthly_yuan": 800}')
    done(case("visit", id, "--outcome", "met", "--note", "two at home", "--finding", *finding, by=ANNA))
    done(case("assess", id, "--level", "severe", "--cause", "illness", "--cause", "income-lost", by=ANNA))
    done(case("assist", "propose", id, "dibao", "--amount-yuan", "910", by=ANNA))
    done(case("assist", "approve", id, "dibao", by=SUN))
    done(case("assist", "deliver", id, "dibao", by=ANNA))
    done(case("refer", id, "--to", "school", "--measure", "tutoring", by=ANNA))
    assert ": closed, version 9" in done(case("close", id, "--code", "helped", by=ANNA)).out
    found = shown(case, id)
    assert (found["state"], found["code"], found["officer"]) == ("closed", "helped", "anna")
    assert found["assessment"]["causes"] == ["illness", "income-lost"]
    assert [
        (one["id"], one["state"], one["approved_by"], one["amount_yuan"]) for one in found["measures"]
    ] == [("dibao", "delivered", "sun", 910)]
    assert [one["type"].removeprefix("case.") for one in found["history"]] == [
        "opened", "acknowledged", "visited", "assessed", "proposed", "approved", "delivered", "referred",
        "closed",
    ]  # fmt: skip
    (back,) = found["history"][2]["data"]["details"]["findings"]
    assert back == {"type": finding[0], "subject": finding[1], "data": {"monthly_yuan": 800}}
    page = done(case("show", id)).out
    for text in ("anna (community)", "note two at home", "910 yuan", "approved by sun", "helped"):
        assert text in page
    assert "sun (街道)" in done(case("show", id, "--lang", "zh")).out
    assert done(case("list", "--community", HERE, "--level", "red")).out == "No open case is like that.\n"


def test_a_closed_case_goes_on_and_is_given_to_somebody(town: Town, case: Cli) -> None:
    id = opened(town, "K2", HERE)
    done(case("ack", id, by=ANNA))
    done(case("close", id, "--code", "data-wrong", "--source", "health", "--note", "a namesake", by=ANNA))
    assert shown(case, id)["source"] == "health"
    done(case("reopen", id, "--reason", "it was not a namesake", by=ANNA))
    done(case("assign", id, "--to", "bo", by=ANNA))
    done(case("comment", id, "He speaks their dialect", by=("plan", "policy", DISTRICT)))
    found = shown(case, id)
    assert (found["state"], found["officer"], found["code"]) == ("acknowledged", "bo", None)
    assert found["history"][-1]["data"]["details"] == {"text": "He speaks their dialect"}


def test_help_at_once_for_a_commitment_and_papers_later(town: Town, case: Cli) -> None:
    id = opened(town, "K3", HERE)
    done(case("visit", id, "--outcome", "met", by=ANNA))
    done(case("assess", id, "--level", "severe", "--cause", "medical-costs", by=ANNA))
    done(case("commit", "offer", id, "--paper", "Hospital bills", "--paper", "Identity cards", by=ANNA))
    unsigned = case("commit", "sign", id, by=ANNA)
    assert (unsigned.status, "--allows-checks" in unsigned.err) == (2, True)
    done(case("commit", "sign", id, "--allows-checks", by=ANNA))
    aid = ("temporary-aid", "--amount-yuan", "15000", "--under-commitment")
    assert "Next: papers by " in done(case("assist", "deliver", id, *aid, by=ANNA)).out
    early = case("close", id, "--code", "helped", by=ANNA)
    assert (early.status, "refused, not-yet" in early.err) == (1, True)
    refused = case("commit", "break", id, "--reason", "not theirs", by=ANNA)
    assert refused.status == 1
    assert "ask somebody who may: street, district" in refused.err
    assert shown(case, id)["commitment"]["state"] == "papers-due"
    done(case("commit", "fulfil", id, by=ANNA))
    done(case("close", id, "--code", "helped", by=ANNA))
    found = shown(case, id)
    assert (found["commitment"]["state"], found["commitment"]["papers"]) == (
        "fulfilled", ["Hospital bills", "Identity cards"],
    )  # fmt: skip
    assert found["measures"][0]["under_commitment"] is True


@pytest.mark.parametrize(
    ("step", "state", "help"), [("break", "broken", "suspended"), ("waive", "waived", "delivered")]
)
def test_the_street_ends_a_commitment(town: Town, case: Cli, step: str, state: str, help: str) -> None:
    id = opened(town, f"K4{step}", HERE)
    done(case("ack", id, by=ANNA))
    done(case("commit", "sign", id, "--allows-checks", "--paper", "Bills", by=ANNA))
    done(
        case("assist", "deliver", id, "temporary-aid", "--amount-yuan", "500", "--under-commitment", by=ANNA)
    )
    done(case("commit", step, id, "--reason", "known otherwise", by=SUN))
    found = shown(case, id)
    assert (found["commitment"]["state"], found["measures"][0]["state"]) == (state, help)


# -- refusals ----------------------------------------------------------------------------------------
def test_what_is_refused_says_why_and_what_to_do_and_changes_nothing(town: Town, case: Cli) -> None:
    id = opened(town, "K5", HERE)
    done(case("ack", id, by=ANNA))
    refusals = {
        "stale": (
            ("assign", id, "--to", "bo", "--seen", "1"),
            ANNA,
            f"show it again: hearthwatch case show {id}",
        ),
        "wrong-state": (("close", id, "--code", "helped"), ANNA, "Transitions"),
        "not-yet": (("ack", id), ANNA, f"hearthwatch case show {id}"),
        "forbidden": (("comment", id, "x"), ("bo", "community", NEXT_DOOR), "another community's"),
    }
    for reason, (words, by, fix) in refusals.items():
        said = case(*words, by=by)
        assert (said.status, said.out) == (1, ""), reason
        assert said.err.startswith(f"refused, {reason}: "), said.err
        assert fix in said.err.splitlines()[1], said.err
    assert shown(case, id)["version"] == 2
    said = case("assign", id, "--to", "bo", "--seen", "1", "--json", by=ANNA)
    (answer,) = said.lines
    assert (said.status, said.err) == (1, "")
    assert (answer["is_done"], answer["reason"], answer["version"]) == (False, "stale", 2)
    assert answer["event"]["type"] == "case.refused"
    results = [one.result for one in on_record(town, id) if one.kind == "change"]
    assert results == ["sent", "done", *(one for name in refusals for one in ("sent", name)), "sent", "stale"]


def test_a_command_with_the_same_id_is_carried_out_once(town: Town, case: Cli) -> None:
    id = opened(town, "K6", HERE)
    again = ("comment", id, "rang, nobody there", "--id", "K6-call", "--seen", "1")
    assert "commented; now new, version 2 (command K6-call, seen 1)" in done(case(*again, by=ANNA)).out
    assert f"this was done before ({id}-2), and not again" in done(case(*again, by=ANNA)).out
    assert done(case(*again, "--json", by=ANNA)).lines[0]["is_repeated"] is True
    assert shown(case, id)["version"] == 2
    other = case("comment", id, "something else", "--id", "K6-call", "--seen", "1", by=ANNA)
    assert (other.status, other.err.startswith("refused, id-taken: ")) == (1, True)
    alone = case("comment", id, "x", "--id", "K6-call", by=ANNA)
    assert (alone.status, "--id goes with --seen" in alone.err) == (2, True)
    refused = ("close", id, "--code", "helped", "--id", "K6-close", "--seen", "2")
    assert case(*refused, by=ANNA).status == 1
    repeated = case(*refused, by=ANNA)
    assert (repeated.status, "it was refused when it was sent first" in repeated.err) == (1, True)


def test_without_an_answer_it_is_said_how_to_send_the_same_again(
    town: Town, case: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = opened(town, "K7", HERE)
    with monkeypatch.context() as patched:

        async def send(self: Desk, command: Any, **_: Any) -> Any:
            raise PublishTimeoutError("no answer")

        patched.setattr(Desk, "send", send)
        said = case("ack", id, by=ANNA)
        (answer,) = case("ack", id, "--json", by=ANNA).lines
    assert said.status == 3
    assert said.err.startswith("not answered: no answer came within 30 s; it may still be carried out")
    assert "--seen 1; is the stage `cases` at work?" in said.err
    assert (answer["is_done"], answer["reason"], answer["event"]) == (False, "unanswered", None)
    assert [one.result for one in on_record(town, id) if one.kind == "change"] == ["sent", "unanswered"] * 2
    sent = ("--id", answer["command"], "--seen", str(answer["seen_version"]))
    assert "acknowledged" in done(case("ack", id, *sent, by=ANNA)).out


# -- wrong input -------------------------------------------------------------------------------------
EARNINGS = ("--outcome", "met", "--finding", "income.earnings.assessed", "person/p")
WRONG_INPUT: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("assess", ("--level", "sever"), "unknown level `sever`: did you mean `severe`? one of: light, "),
    ("assess", ("--level", "light", "--cause", "ilness"), "unknown cause `ilness`: did you mean `illness`?"),
    ("assist propose", ("dibaoo",), "unknown measure `dibaoo`: did you mean `dibao`? one of: temporary-aid"),
    ("refer", ("--to", "x", "--measure", "no"), "unknown measure `no`: "),
    ("refer", ("--to", "The School"), "--to: "),
    ("close", ("--code", "data-wrong", "--source", "healt"), "unknown department `healt`: did you mean"),
    ("close", ("--code", "data-wrong"), "--source goes with --code data-wrong"),
    ("close", ("--code", "no-need", "--duplicate-of", "K-1"), "--duplicate-of goes with --code duplicate"),
    ("close", ("--code", "done"), "'helped', 'helped-already'"),
    ("visit", ("--outcome", "meet"), "'met', 'absent'"),
    ("visit", ("--outcome", "met", "--finding", "income.earning", "person/p", "{}"), "did you mean `income."),
    ("visit", (*EARNINGS, "{"), "--finding income.earnings.assessed: its data are no JSON"),
    ("visit", (*EARNINGS, "[]"), "its data have to be a JSON object"),
    ("visit", (*EARNINGS, "{}"), "monthly_yuan"),
    ("comment", ("x" * 2001,), "--text: Expected `str` of length <= 2000"),
    ("ack", ("--at", "2026-11-25T10:00"), "--at is for `clock: log`"),
    ("ack", ("--communities", "4201"), "`4201` is no code: a community has 12 digits"),
    ("ack", ("--role", "mayor"), "'community', 'street', 'district', 'policy'"),
)  # fmt: skip


def test_wrong_input_names_the_choices_and_nothing_is_sent(town: Town, case: Cli) -> None:
    id = opened(town, "K8", HERE)
    for command, options, told in WRONG_INPUT:
        said = case(*command.split(), id, *options, by=ANNA)
        assert (said.status, said.out) == (2, ""), (command, options)
        assert told in " ".join(said.err.split()), (command, options)
    assert shown(case, id)["version"] == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--level", "purple"), "unknown level `purple`: one of: blue, orange, red, yellow"),
        (("--community", "42"), "`42` is no code"),
        (("--state", "closed"), "'new', 'acknowledged'"),
        (("--limit", "0"), "0 is out of range: expected a whole number from 1 to"),
    ],
)
def test_wrong_filters_are_no_empty_list(case: Cli, options: tuple[str, ...], told: str) -> None:
    said = case("list", *options)
    assert (said.status, said.out) == (2, "")
    assert told in said.err


def test_who_acts_has_to_be_said(town: Town, case: Cli) -> None:
    id = opened(town, "K9", HERE)
    said = case("ack", id)
    assert (said.status, "--as STAFF" in said.err, "HEARTHWATCH_STAFF" in said.err) == (2, True, True)
    options = ("--as", "anna", "--role", "community", "--communities", f"{NEXT_DOOR},{HERE}")
    assert "acknowledged" in done(case("ack", id, *options)).out


def test_of_a_case_that_is_not_there_the_nearest_is_named(town: Town, case: Cli) -> None:
    opened(town, "K10", HERE)
    for words in (("show", "K10"), ("show", "K10-7"), ("suggest", "K10-7"), ("ack", "K10-7")):
        said = case(*words, by=ANNA)
        assert (said.status, said.out) == (1, "")
        assert "Household K10 has K10-1 (new)." in said.err
    assert "`hearthwatch case list` names the open ones" in case("show", "nobody-1").err
    tried = [(one.kind, one.what, one.result) for one in on_record(town, "K10-7")]
    assert tried == [
        ("read", "case", "not-found"), ("read", "suggestions", "not-found"), ("change", "case", "not-found"),
    ]  # fmt: skip


def test_the_household_that_is_named_instead_is_on_record_under_its_own_id(town: Town, case: Cli) -> None:
    for number, (command, typed) in enumerate(
        [("show", "{}"), ("show", "{}-7"), ("suggest", "{}-7"), ("ack", "{}")], start=1
    ):
        home = f"KX{number}"
        id = opened(town, home, HERE)
        said = case(command, typed.format(home), by=ANNA)
        assert f"Household {home} has {id} (new)." in said.err
        looks = [one for one in on_record(town, id) if one.by == f"hearthwatch case {command}"]
        assert [(one.kind, one.what, one.result, one.households, one.rows) for one in looks] == [
            ("read", "household", "ok", (home,), 1)
        ]
