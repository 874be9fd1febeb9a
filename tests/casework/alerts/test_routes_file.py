"""Faults of a routes file, each with its place and its fix, all in one go; and what a good one means."""

from __future__ import annotations

from pathlib import Path

import pytest

from casework.alerts.routes import CHANNEL_KINDS, Rate, Retry
from casework.alerts.routes_file import read_routes
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.errors import FileFaults
from streams.timestamps import HOUR, MINUTE, SECOND
from tests.casework.alerts.a_district import HERE, NOWHERE, POLICY, ROUTES, STREET_ONLY, edited, routes

ZONE = "unknown timezone `Asia/Shanghi`: expected an IANA name"
ROOT = Path(__file__).resolve().parents[3]


def faults(*changes: tuple[str, str]) -> list[str]:
    """The faults of the changed routes, each as ``message`` or ``message (hint)``; their places are right."""
    text = edited(*changes)
    with pytest.raises(FileFaults) as error:
        read_routes("routes.yaml", POLICY, text.encode())
    lines = text.splitlines()
    for fault in error.value.faults:
        assert 1 <= fault.line <= len(lines)
        assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
    return [str(fault).partition(": ")[2] for fault in error.value.faults]


def test_a_good_file() -> None:
    read = routes()
    assert (read.id, read.version, read.desk, read.highest) == ("test", 3, "desk", "red")
    assert read.channels["wecom"].rate == Rate(10, MINUTE, 10 * MINUTE)
    assert read.channels["wecom"].retry == Retry(10 * SECOND, 2 * MINUTE, 3)
    assert (read.teams["desk"].timing.group_wait, read.teams["desk"].timing.repeat_interval) == (
        30 * SECOND,
        4 * HOUR,
    )
    assert [read.channels[id_].is_personal for id_ in ("wecom", "sms", "hook")] == [True, True, False]


def test_no_address_is_shown_when_routes_are_printed() -> None:
    read = routes()
    assert "LI_KEY" not in repr(read.members["li"])
    assert "HOOK_URL" not in repr(read.channels["hook"])


@pytest.mark.parametrize(
    ("community", "team"),
    [
        (HERE, "community"),
        (STREET_ONLY, "street"),
        (NOWHERE, "desk"),
        ("420199001001", "desk"),
        (None, "desk"),
    ],
)
def test_the_longest_prefix_wins(community: str | None, team: str) -> None:
    assert routes().team_of(community).id == team


def test_what_a_team_says_goes_before_the_defaults() -> None:
    own = edited(("tier: street\n", "tier: street\n    group_wait: 2m\n    language: zh\n    repeats: 0\n"))
    street, desk = routes(own).teams["street"], routes(own).teams["desk"]
    assert (street.timing.group_wait, street.language, street.timing.repeats) == (2 * MINUTE, "zh", 0)
    assert (desk.timing.group_wait, desk.language, desk.timing.repeats) == (30 * SECOND, "en", 2)


def test_all_faults_come_in_one_go_in_the_order_of_the_file() -> None:
    text = edited(
        ("Asia/Shanghai", "Asia/Shanghi"),
        ("kind: webhook", "kind: webhok"),
        ("group_wait: 30s", "group_wait: 30"),
        ("weeks: zhao", "weeks: zao"),
        ("next: desk", "next: dsk"),
    )
    with pytest.raises(FileFaults) as error:
        read_routes("routes.yaml", POLICY, text.encode())
    assert [str(one) for one in error.value.faults] == [
        f"routes.yaml:{place}: {message}"
        for place, message in (
            ("3:11", f"{ZONE} such as Asia/Shanghai (did you mean `Asia/Shanghai`?)"),
            ("10:15", "group_wait must be a span such as 30s, 5m, 4h or 2d, not `30`"),
            (
                "25:11",
                f"unknown kind `webhok` (did you mean `webhook`? one of: {', '.join(sorted(CHANNEL_KINDS))})",
            ),
            ("44:11", "unknown team `dsk` (did you mean `desk`? one of: community, desk, street)"),
            ("45:19", "unknown member `zao` (did you mean `zhao`? one of: li, wang, zhao)"),
        )
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("version: 3", "version: 0", "version must be at least 1, not 0"),
        (
            "desk: desk",
            "desk: dask",
            "unknown team `dask` (did you mean `desk`? one of: community, desk, street)",
        ),
        (
            "{case}",
            "{household}",
            "link `https://console.example/cases/{household}` is malformed: expected an",
        ),
        ('"420106007":', '"42010607":', "a community must have 6 digits (a district), 9 (a street) or 12 (a"),
        (
            'for: "420106"',
            'for: "42 0106"',
            "a code in `for` must have 6 digits (a district), 9 (a street) or 12",
        ),
        ('for: "420106"', 'for: "420106007"', "the code 420106007 is already the team `desk`'s"),
        (
            "kind: webhook\n",
            "kind: terminal\n",
            "unknown key `address` in the channel `hook` (one of: id, kind,",
        ),
        ("    address: ${HOOK_URL}\n", "", "the channel `hook` lacks the key `address`"),
        ("- id: sms\n", "- id: wecom\n", "the channel `wecom` stands twice"),
        (
            "wecombot://${LI_KEY}",
            "wecombot://a-key",
            "the contact by `wecom` is secret and must not stand in this",
        ),
        (
            "secret: ${HOOK_SECRET}",
            "secret: in-the-open",
            "secret is secret and must not stand in this file (write",
        ),
        (
            "${HOOK_SECRET}",
            "${hook}",
            "secret holds a malformed reference: expected one such as ${WECOM_KEY}",
        ),
        ('{wecom: "wecombot://${WANG_KEY}"}', "{}", "contacts must name at least one"),
        ('{wecom: "wecombot://${WANG_KEY}"}', '{hook: "${X}"}', "the channel `hook` needs no contact: it"),
        (
            "[wecom, sms]\n    next: desk",
            "[wecom, wecom]\n    next: desk",
            "the channel `wecom` stands twice",
        ),
        ("[wecom, sms]\n    next: desk", "[wecam]\n    next: desk", "unknown channel `wecam` (did you mean"),
        ("    rota: {weeks: zhao}\n", "", "the team lacks the key `rota`: its channels reach single members"),
        ("next: street", "next: community", "the team `community` would come after itself"),
        (
            "next: desk",
            "next: community",
            "`community` is of the tier community, below street: what nobody takes",
        ),
        (
            "channels: [hook]",
            "channels: [hook]\n    next: street",
            "the desk is the last that is told: it has no",
        ),
        ("tier: street", "tier: city", "unknown tier `city` (did you mean `community`? one of: community,"),
        (
            "levels: [blue]",
            "levels: [blue, red]",
            "the highest level `red` never waits: it has no quiet hours",
        ),
        ("levels: [blue]", "levels: [bleu]", "unknown level `bleu` (did you mean `blue`? one of: blue, red)"),
        ('to: "07:30"', 'to: "7:30"', "to must be a time of day such as 08:30, not `7:30`"),
        ('to: "07:30"', 'to: "22:00"', "quiet hours must not begin and end at the same time"),
        (
            "first: 10s, most: 5m",
            "first: 10m, most: 5m",
            "first must not be longer than most: attempts grow apart,",
        ),
        ("messages: 30", "messages: 0", "messages must be at least 1, not 0"),
        (
            "      starts: 2026-01-05\n",
            "",
            "rota lacks the key `starts`: the day on which the first of its weeks",
        ),
        (
            "starts: 2026-01-05",
            "starts: 2026-02-30",
            "starts must be a date such as 2026-10-01, not `2026-02-30`",
        ),
        (
            "weeks: [li, wang]",
            "weeks: [{workdays: li, sat: wang}]",
            "the week has nobody on Sunday: add `sun` or",
        ),
        (
            "weeks: [li, wang]",
            "weeks: li\n      overrides: [{from: 2026-10-03, to: 2026-10-01, who: li}]",
            "an override must not end before it begins",
        ),
        (
            "defaults:",
            "calendar: {holidays: [2027-10-01], workdays: [2027-10-01]}\ndefaults:",
            "`2027-10-01` is both a holiday and a working day",
        ),
    ],
)
def test_a_fault(old: str, new: str, fault: str) -> None:
    assert [one for one in faults((old, new)) if one.startswith(fault)]


def test_a_fault_shows_nothing_of_an_address() -> None:
    found = faults(("wecombot://${LI_KEY}", "wecombot://a-key"), ("${LI_SMS}", "sms://13800000000"))
    assert len(found) == 2
    assert not [one for one in found if "a-key" in one or "13800000000" in one]


def test_the_example_is_good_and_routes_every_street() -> None:
    policy = read_policy(
        ROOT / "rules/policies/wuchang.yaml", read_catalog(ROOT / "streams/catalogs/wuchang.yaml")
    )
    read = read_routes(ROOT / "examples/routes/wuchang.yaml", policy)
    streets = [f"420106{number:03}" for number in range(1, 16) if number != 4]
    assert [read.team_of(f"{street}099").id for street in streets] == [f"street-{one[6:]}" for one in streets]
    chain = [team.tier for team in read.upwards(read.team_of("420106007003"))]
    assert chain == ["community", "street", "district"]
    assert all(set(read.wording.communities[street]) == {"en", "zh"} for street in streets)


def test_the_texts_of_the_tests_are_what_they_seem() -> None:
    assert read_routes("routes.yaml", POLICY, ROUTES.encode()).digest == routes().digest
