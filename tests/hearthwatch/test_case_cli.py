"""`hearthwatch case` without a server: words, times, order, the page, and what a refusal advises."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, get_args
from xml.etree.ElementTree import tostring
from zoneinfo import ZoneInfo

import click
import msgspec
import pytest

from casework.alerts.intents import FATES
from casework.cases.case import CLOCKS, STATES, CloseCode, CommitmentState, MeasureState, Outcome
from casework.cases.case_events import Reason
from casework.cases.code_words import CODE_TITLES, code_text
from casework.cases.commands import DATA, Actor, Command
from casework.cases.transitions import TABLE
from hearthwatch.cli.case import case, urgency
from hearthwatch.cli.case_options import Acting, Codes
from hearthwatch.cli.case_page import print_case
from hearthwatch.cli.case_send import _by_option, _when, fix_of
from hearthwatch.cli.case_words import WORDS, known, left_text, word
from hearthwatch.desk import CaseLine, CaseView
from hearthwatch.desk.views import AssessmentView, CommitmentView, Deadline, MeasureView, VisitView
from hearthwatch.settings import load_settings
from hearthwatch.yields import charts
from hearthwatch.yields.words import WORDS as YIELD_WORDS
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.errors import InputError
from streams.timestamps import DAY, HOUR, MINUTE, parse_timestamp

ZONE = ZoneInfo("Asia/Shanghai")
NOW = parse_timestamp("2026-11-25T09:00:00Z") or 0


@pytest.fixture(scope="module")
def policy() -> Policy:
    settings = load_settings()
    return read_policy(settings.policy, read_catalog(settings.catalog))


# -- words and times ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("left", "english", "chinese"),
    [
        (42 * MINUTE, "in 42 min", "还有 42 分钟"),
        (3 * HOUR + 1, "in 3 h", "还有 3 小时"),
        (2 * DAY - 1, "in 47 h", "还有 47 小时"),
        (2 * DAY, "in 2 days", "还有 2 天"),
        (0, "0 min late", "逾期 0 分钟"),
        (-90 * MINUTE, "1 h late", "逾期 1 小时"),
        (-50 * HOUR, "2 days late", "逾期 2 天"),
        (-4732 * DAY, "12 years late", "逾期 12 年"),
    ],
)
def test_how_long_there_is(left: int, english: str, chinese: str) -> None:
    assert left_text(NOW + left, NOW, "en") == english
    assert left_text(NOW + left, NOW, "zh") == chinese


def test_every_word_of_a_case_has_a_chinese_one() -> None:
    words = {*STATES, *CLOCKS, *FATES, *(row.event for row in TABLE)}
    for kind in (Outcome, MeasureState, CommitmentState):
        words |= set(get_args(kind))
    assert {one for one in words if word(one, "zh") == one} == set()
    assert set(WORDS["zh"]) == set(WORDS["en"])


def test_a_code_is_called_the_same_on_a_case_and_in_the_yield(
    policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert CODE_TITLES.keys() == set(get_args(CloseCode))
    closed: dict[str, Any] = {"state": "closed", "closed": "2026-11-25T01:00:00Z"}
    for code, titles in CODE_TITLES.items():
        for language in ("en", "zh"):
            title = titles[language]
            assert title in page(policy, capsys, change(**closed, code=code), language)
            chart = tostring(charts.codes({code: 3}, YIELD_WORDS[language], "x", language), "unicode")
            assert title in chart
    assert code_text("of-a-newer-program", "zh") == "of-a-newer-program"


def test_what_is_unknown_names_the_nearest_and_all() -> None:
    assert known("cause", "illness", ["illness", "mind"]) == "illness"
    many = [f"cause-{n}" for n in range(20)]
    with pytest.raises(InputError) as told:
        known("cause", "cause-1x", many)
    assert str(told.value).startswith("unknown cause `cause-1x`: did you mean `cause-1")
    assert str(told.value).endswith(", cause-18, cause-19")
    with pytest.raises(InputError) as told:
        known("type", "cause-1x", [f"cause-{n}" for n in range(90)])
    assert "one of" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("420106", ("420106",)),
        ("420106003005,420106003", ("420106003005", "420106003")),
        (" 420106003005  420106003 ", ("420106003005", "420106003")),
    ],
)
def test_codes_are_read(text: str, codes: tuple[str, ...]) -> None:
    assert Codes().convert(text, None, None) == codes


@pytest.mark.parametrize("text", ["", ",", "42", "4201060", "420106,x", "٤٢٠١٠٦", "420106003005007"])
def test_what_is_no_code_is_said(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Codes().convert(text, None, None)


# -- the list ----------------------------------------------------------------------------------------
def test_the_most_urgent_come_first_and_what_has_no_deadline_last_of_its_level() -> None:
    def line(id: str, level: str, due: str | None) -> CaseLine:
        return CaseLine(id, id, None, level, "new", due, is_overdue=False)

    lines = [
        line("e", "blue", "2026-11-20T00:00:00Z"),
        line("d", "red", None),
        line("c", "red", "2026-11-26T00:00:00Z"),
        line("b", "red", "2026-11-25T00:00:00.5Z"),
        line("a", "unheard-of", None),
    ]
    ranks = {"blue": 0, "red": 1}
    assert [one.id for one in sorted(lines, key=lambda one: urgency(one, ranks))] == ["a", "b", "c", "d", "e"]


# -- the page ----------------------------------------------------------------------------------------
FOUND = CaseView(
    id="H1-3", household="H1", version=9, state="assisted", level="orange", score=0,
    community="420106003005", officer="anna", opened="2026-11-20T01:00:00Z", changed="2026-11-25T01:00:00Z",
    closed=None, code=None, source=None, duplicate_of=None, is_baseline=False,
    because={"health": 40, "economy": 22},
    deadlines=[
        Deadline(
            "acknowledge", "2026-11-20T05:00:00Z", False, "2026-11-20T06:00:00Z", "2026-11-20T05:00:00Z", 1
        ),
        Deadline("help", "2026-11-23T16:00:00Z", False, None, "2026-11-23T16:00:00Z", 2),
        Deadline("papers", "2027-01-20T16:00:00Z", True, None, None, 0),
    ],
    visits=[VisitView("2026-11-21T02:00:00Z", "anna", "met")],
    assessment=AssessmentView("2026-11-21T03:00:00Z", "anna", "severe", ["illness"]),
    measures=[
        MeasureView("temporary-aid", "delivered", "anna", None, 15000, True),
        MeasureView("disability-subsidies", "delivered", "bo", "li", 180, False, "P7"),
    ],
    commitment=CommitmentView("papers-due", "2026-11-25T01:00:00Z", "anna", ["Bills"]),
)  # fmt: skip


def event(type: str, actor: str | None, **details: Any) -> dict[str, Any]:
    who = None if actor is None else {"id": actor, "role": "community"}
    return {
        "type": f"case.{type}",
        "time": "2026-11-21T02:00:00Z",
        "data": {"actor": who, "details": details},
    }


HISTORY = [
    event(
        "opened", None, warning="H1-3", warned="warning.raised", warning_level="orange", score=62,
        baseline=False,
        indicators=[
            {"indicator": id, "dimension": "health", "points": points}
            for id, points in (("major-illness", 40), ("hospital-bills", 22), ("gone", 3), ("gone-too", -1))
        ],
    ),
    event("visited", "anna", outcome="refused", note="refused \x1b[31mred\x07"),
    event("refused", "bo", reason="stale", message="the case has gone on to version 3: look at it again"),
    event("overdue", None, clock="help", due=1, assumed_calendar=False, tier="community"),
    event("delivered", "anna", measure="temporary-aid", amount_yuan=15000, under_commitment=True),
    event("commented", "anna", text="met"),
    event("cleared", None, warning="H1-4", indicators=[{"indicator": "pension", "points": -2}]),
]  # fmt: skip
ALERTS = [
    {
        "type": f"alert.{fate}", "time": "2026-11-21T01:30:00Z",
        "data": {"alert": "H1-3-1-raised", "team": "community-3", "channel": channel, "by": by},
    }
    for fate, channel, by in (("gave-up", "", ""), ("passed-on", "", "street-003"), ("sent", "mail", ""))
]  # fmt: skip


def page(policy: Policy, capsys: pytest.CaptureFixture[str], found: CaseView, lang: Any = "en") -> str:
    print_case(found, HISTORY, ALERTS, policy, ZONE, NOW, lang)
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())


def test_the_page_of_a_case(policy: Policy, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        page(policy, capsys, FOUND)
        == """\
H1-3  Orange - help needed  assisted  version 9
household H1, community 420106003005, officer anna, opened 2026-11-20 09:00
Times in Asia/Shanghai.

Deadlines
acknowledge  2026-11-20 13:00  met 2026-11-20 14:00
help         2026-11-24 00:00  41 h late (street knows)
papers       2027-01-21 00:00  in 56 days (holidays of that year are not out)

Visits
2026-11-21 10:00  anna  met

Assessed
2026-11-21 11:00  anna  severe: illness

Help
temporary-aid         anna  delivered, 15,000 yuan, before its papers came
disability-subsidies  bo    delivered, 180 yuan, to P7, approved by li

Commitment
2026-11-25 09:00  anna  papers-due, papers: Bills

Why it was warned (62 points)
+40  Major illness
+22  Large medical bills
+3   gone
-1   gone-too

History
2026-11-21 10:00  H1-3              opened     Major illness, Large medical bills, gone, and 1 more; \
warning level orange; score 62
2026-11-21 10:00  anna (community)  visited    outcome refused; note refused \\x1b[31mred\\x07
2026-11-21 10:00  bo (community)    refused    stale: the case has gone on to version 3: look at it again
2026-11-21 10:00  clock             overdue    clock help; tier community
2026-11-21 10:00  anna (community)  delivered  measure temporary-aid; amount yuan 15000; under commitment
2026-11-21 10:00  anna (community)  commented  text met
2026-11-21 10:00  H1-4              cleared    pension

Alerts
2026-11-21 09:30  gave-up    community-3
2026-11-21 09:30  passed-on  community-3        street-003
2026-11-21 09:30  sent       community-3  mail
The family's facts: hearthwatch household show H1"""
    )


def test_the_page_in_chinese_leaves_what_people_wrote(
    policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(policy, capsys, FOUND, "zh")
    assert "结果 拒绝；备注 refused" in text
    assert "内容 met" in text
    assert "未执行  stale: " in text
    assert "逾期 41 小时 (已报街道)" in text


def test_the_page_of_a_closed_case_and_of_one_on_the_worklist(
    policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: dict[str, Any] = {
        "state": "closed", "closed": "2026-11-25T01:00:00Z", "commitment": None, "visits": []
    }  # fmt: skip
    wrong = page(policy, capsys, change(**closed, code="data-wrong", source="health"))
    assert "closed 2026-11-25 09:00: data wrong, data of health were wrong" in wrong
    assert "Visits" not in wrong
    double = page(policy, capsys, change(**closed, code="duplicate", duplicate_of="H2-1"))
    assert "the same family as H2-1" in double
    waiting = page(policy, capsys, change(is_baseline=True, officer=None, community=None))
    assert "community none, no officer, opened 2026-11-20 09:00, worklist" in waiting


def test_the_page_names_the_cases_before_and_after(
    policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "The case before" not in page(policy, capsys, FOUND)
    both = change(before="H1-2", after="H1-5")
    assert "\nThe case before: hearthwatch case show H1-2, the one after: H1-5\n" in page(
        policy, capsys, both
    )
    assert "\n下一件：H1-5\n" in page(policy, capsys, change(after="H1-5"), "zh")


def change(**fields: Any) -> CaseView:
    return msgspec.structs.replace(FOUND, **fields)


# -- sending -----------------------------------------------------------------------------------------
def test_each_command_of_the_cases_is_sent_by_one_of_the_line() -> None:
    assert isinstance(case, click.Group)
    names = set(case.commands)
    assist, commit = case.commands["assist"], case.commands["commit"]
    assert isinstance(assist, click.Group)
    assert isinstance(commit, click.Group)
    assert set(assist.commands) == {"propose", "approve", "deliver"}
    # Behind a comma stands what else has to hold.
    steps = {row.when.partition(",")[0] for row in TABLE if row.on == "commit"}
    assert set(commit.commands) == steps
    sent = (names - {"list", "show", "suggest", "assist", "ack"}) | set(assist.commands) | {"acknowledge"}
    assert sent == set(DATA)


@pytest.mark.parametrize("reason", [*get_args(Reason), "repeated-refusal"])
def test_each_refusal_says_what_to_do(reason: str) -> None:
    command = Command("c1", "H1", "H1-3", "approve", 2, Actor("anna", "street"), data={"measure": "dibao"})
    assert fix_of(reason, "", command)
    if reason == "stale":
        assert fix_of(reason, "", command) == "show it again: hearthwatch case show H1-3"


@pytest.mark.parametrize(
    ("command", "data", "roles"),
    [
        ("comment", {"text": "x"}, "community, street, district, policy"),
        ("approve", {"measure": "dibao"}, "street, district"),
        ("commit", {"step": "break"}, "street, district"),
        ("commit", {"step": "sign"}, "community, street, district"),
    ],
)
def test_who_may_not_is_told_who_may(command: str, data: dict[str, Any], roles: str) -> None:
    sent = Command("c1", "H1", "H1-3", command, 2, Actor("x", "auditor"), data=data)
    assert fix_of("forbidden", "", sent) == f"ask somebody who may: {roles}"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("Expected `str` of length >= 1 - at `$.note`", "--note: Expected `str` of length >= 1"),
        ("Expected `int` <= 1 - at `$.amount_yuan`", "--amount-yuan: Expected `int` <= 1"),
        ("Object missing required field `to`", "Object missing required field `to`"),
    ],
)
def test_a_fault_is_told_by_its_option(fault: str, told: str) -> None:
    assert _by_option(fault) == told


def test_with_the_clock_of_the_log_the_time_has_to_be_said() -> None:
    acting = Acting(Actor("anna", "community"), "c1", None, None, as_json=False)
    log, wall = (load_settings().model_copy(update={"clock": clock}) for clock in ("log", "wall"))
    with pytest.raises(InputError, match="the clock is `log`"):
        _when(acting, log, ZONE)
    assert _when(replace(acting, at="2025-06-05T10:00"), log, ZONE) == "2025-06-05T02:00:00Z"
    assert _when(replace(acting, at="2025-06-05T10:00:00Z"), log, ZONE) == "2025-06-05T10:00:00Z"
    with pytest.raises(InputError, match="`noon` is no time"):
        _when(replace(acting, at="noon"), log, ZONE)
    assert re.fullmatch(r"20.*Z", _when(acting, wall, ZONE))
    with pytest.raises(InputError, match="leave it out"):
        _when(replace(acting, at="2025-06-05T10:00"), wall, ZONE)
