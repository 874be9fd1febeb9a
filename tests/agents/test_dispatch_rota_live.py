"""A rota over National Day 2026: whoever is on call gets the mail, over a real log and a real mail server."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from casework.alerts.alert import Alert
from tests.agents.alerting import Alerts
from tests.agents.receivers import Mailbox, mail_server
from tests.agents.rig import Rig
from tests.casework.alerts.a_district import HERE, at

# Two weeks take turns from Monday, 14 September; the day of a rota begins at half past eight.
ROUTES = """\
routes: national-day
version: 1
timezone: Asia/Shanghai
link: https://console.example/cases/{case}
desk: desk
defaults:
  language: en
  repeats: 0
  quiet: {from: "22:00", to: "09:00", levels: [blue]}
channels:
  - id: mail
    kind: apprise
    rate: {messages: 1000, per: 1m}
    retry: {first: 1m, most: 2m, tries: 20}
  - {id: log, kind: terminal}
members:
  - {id: li, language: zh, contacts: {mail: "${LI_MAIL}"}}
  - {id: wu, contacts: {mail: "${WU_MAIL}"}}
  - {id: wang, contacts: {mail: "${WANG_MAIL}"}}
  - {id: zhao, contacts: {mail: "${ZHAO_MAIL}"}}
  - {id: qian, contacts: {mail: "${QIAN_MAIL}"}}
  - {id: sun, contacts: {mail: "${SUN_MAIL}"}}
teams:
  - {id: desk, tier: district, for: ["420106"], channels: [log]}
  - id: community
    tier: community
    for: ["420106007003"]
    channels: [mail]
    rota:
      starts: 2026-09-14
      handover: "08:30"
      weeks: [{workdays: li, weekends: wang}, {workdays: wu, weekends: wang}]
      holidays: [zhao, qian]
      overrides:
        - {from: 2026-10-03, to: 2026-10-04, who: sun}
        - {from: 2026-10-04, to: 2026-10-04, who: [sun, wang]}
"""

#: Written down from the notice of the State Council and the rota above, by hand.
ON_CALL = {
    "2026-09-19 12:00": ["wang"],  # a Saturday like others
    "2026-09-20 12:00": ["li"],  # a Sunday that is worked
    "2026-09-21 12:00": ["wu"],
    "2026-09-30 12:00": ["li"],
    "2026-10-01 08:29": ["li"],  # the night before National Day is not over
    "2026-10-01 08:30": ["zhao"],
    "2026-10-02 12:00": ["qian"],
    "2026-10-03 12:00": ["sun"],  # in place of zhao
    "2026-10-04 12:00": ["sun", "wang"],
    "2026-10-05 12:00": ["zhao"],
    "2026-10-06 12:00": ["qian"],
    "2026-10-07 12:00": ["zhao"],
    "2026-10-08 08:29": ["zhao"],
    "2026-10-08 08:30": ["wu"],
    "2026-10-09 12:00": ["wu"],
    "2026-10-10 12:00": ["wu"],  # a Saturday that is worked
    "2026-10-11 12:00": ["wang"],
}


def alert(case: str, level: str = "red") -> Alert:
    return Alert(f"{case}-1", case, case, "raised", level, HERE, dimensions=("health",))  # type: ignore[arg-type]


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mail_server() as box:
        for who in ("li", "wu", "wang", "zhao", "qian", "sun"):
            address = (
                f"mailto://127.0.0.1:{box.port}?from=hearthwatch@wuchang.example&to={who}@wuchang.example"
            )
            monkeypatch.setenv(f"{who.upper()}_MAIL", address)
        yield box


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain", "html"))
    assert body is not None
    return str(body.get_content())


def told(box: Mailbox) -> dict[str, list[str]]:
    """Who got a mail that links a case, by case; each as often as it came."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for mail, recipient in zip(box.mails, box.recipients, strict=True):
        (case,) = re.findall(r"/cases/(case-\d+)\b", text_of(mail))
        found[case].append(recipient.partition("@")[0])
    return {case: sorted(who) for case, who in found.items()}


async def test_whoever_is_on_call_over_national_day_gets_the_mail(rig: Rig, mailbox: Mailbox) -> None:
    alerts = Alerts(rig, text=ROUTES)
    await alerts.start()
    days = {f"case-{number}": day for number, day in enumerate(ON_CALL)}
    for case, day in days.items():
        await alerts.say(at(day), alert(case))
    await alerts.tick(at("2026-10-11 13:00"))
    assert told(mailbox) == {case: ON_CALL[day] for case, day in days.items()}
    subjects = {mail["Subject"] for mail in mailbox.mails}
    assert len(subjects) == 2, "li reads Chinese, the others English"
    assert len((await alerts.audit()).sends) == len(mailbox.mails)


async def test_what_waits_for_the_morning_is_told_to_whoever_is_on_call_then(
    rig: Rig, mailbox: Mailbox
) -> None:
    alerts = Alerts(rig, text=ROUTES)
    await alerts.start()
    await alerts.say(at("2026-09-30 23:00"), alert("blue-one", level="blue"))
    await alerts.tick(at("2026-10-01 08:59"))
    assert mailbox.mails == []
    await alerts.tick(at("2026-10-01 09:01"))
    assert mailbox.recipients == ["zhao@wuchang.example"], "li had the night, and is at home now"
    await alerts.audit()


async def test_a_handover_between_two_attempts_of_a_message_goes_on_with_who_comes(
    rig: Rig, mailbox: Mailbox
) -> None:
    alerts = Alerts(rig, text=ROUTES)
    signals = await alerts.start()
    mailbox.answer = "451 try again later"
    await alerts.say(at("2026-10-08 08:25"), alert("late"))
    await alerts.tick(at("2026-10-08 08:29"))
    before = [facts for name, facts in signals.seen if name == "delivered"]
    assert len(before) >= 2
    assert {one["member"] for one in before} == {"zhao"}
    assert mailbox.mails == []
    mailbox.answer = "250 taken"
    await alerts.tick(at("2026-10-08 08:40"))
    assert mailbox.recipients == ["wu@wuchang.example"]
    assert [one["type"] for one in await alerts.events()] == ["alert.sent"]
    folded = await alerts.audit()
    assert {send.member for send in folded.sends} == {"zhao", "wu"}
