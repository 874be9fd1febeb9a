"""The alerts of both stories reach people: a real mail server and a real web server get each of them once."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from agents.channels.webhook import is_genuine
from casework.stories.judged import Receipt, differences_in_help
from tests.casework.live.town import SECRET, Lived
from tests.casework.stories.a_story import HELPED, STORIES

PERSONAL = ("nephritis", "leukaemia", "hypertension", "1979-11-20", "2013-10-25", "24600", "38200")
"""Diagnoses, dates of birth and amounts of the two families."""

pytestmark = pytest.mark.timeout(400)


def text_of(mail: EmailMessage) -> str:
    """What a person reads in a mail, below its subject."""
    body = mail.get_body(("plain", "html"))
    assert body is not None
    return str(body.get_content())


def test_the_community_of_mr_zhou_gets_its_mails_each_once(lived: Lived) -> None:
    zhou = lived.of("zhou")
    mails = lived.mailbox.mails
    assert [mail["Subject"] for mail in mails] == [
        "[Blue - watch] New warning · Wuchang District 420106007003",
        "[Orange - help needed] Warning upgraded · Wuchang District 420106007003",
        "[Red - urgent] Warning upgraded · Wuchang District 420106007003",
    ]
    # 10 June 2024 is the Dragon Boat festival: who is on call on holidays is told.
    assert lived.mailbox.recipients == [f"{who}@wuchang.example" for who in ("lin", "gao", "lin")]
    for mail in mails:
        assert "https://console.example/cases/story-zhou-1" in text_of(mail)
    ids = [str(one["id"]) for one in zhou.outcome.alerts]
    receipts = [Receipt(id, "community-007003", "mail") for id in ids]
    assert len(mails) == len(ids)
    assert differences_in_help(zhou.staff, replace(zhou.outcome, receipts=receipts)) == []


def hooked(lived: Lived) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in lived.site.requests]


def test_the_program_of_wang_fuhong_s_community_gets_signed_alerts_each_once(lived: Lived) -> None:
    requests = lived.site.requests
    assert all(request.path == "/alerts" for request in requests)
    assert all(is_genuine(SECRET.encode(), one.headers, one.body, time.time()) for one in requests)
    assert not any(is_genuine(b"another", one.headers, one.body, time.time()) for one in requests)
    keys = [request.headers["Idempotency-Key"] for request in requests]
    assert len(set(keys)) == len(keys) == 3
    wang = lived.of("wang-fuhong")
    receipts = [
        Receipt(alert["id"], body["team"], "hook") for body in hooked(lived) for alert in body["alerts"]
    ]
    assert differences_in_help(wang.staff, replace(wang.outcome, receipts=receipts)) == []


@pytest.mark.parametrize("secret", [*PERSONAL, ".daughter", ".wang"])
def test_no_alert_says_who_is_ill_of_what(lived: Lived, secret: str) -> None:
    bodies = [f"{mail['Subject']}\n{text_of(mail)}" for mail in lived.mailbox.mails]
    bodies += [request.body.decode() for request in lived.site.requests]
    assert len(bodies) == 6
    assert not [body for body in bodies if secret in body]


def test_the_words_that_are_looked_for_stand_in_the_stories() -> None:
    told = "".join((STORIES / f"{name}.yaml").read_text("utf-8") for name in HELPED)
    assert [word for word in PERSONAL if word not in told] == []
