"""Alerts by real channels: a mail server, a webhook's receiver, Alertmanager's API, a file."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from agents.channels.answers import of_status
from agents.channels.secrets import missing, resolve
from agents.channels.sender import Sender
from agents.channels.webhook import is_genuine
from casework.alerts.alert import Alert
from casework.alerts.decide import decide
from casework.alerts.intents import Result, Send
from casework.alerts.routes import Routes
from casework.alerts.state import State
from streams.errors import SettingsError
from tests.agents.receivers import Mailbox, Site, mail_server, unused_port, web_server
from tests.casework.alerts.a_district import alert, at, edited, routes

NOW = at("2026-03-02 10:00")
SECRET = "a secret of the hook's"
WAYS = "channels: [wecom, sms]\n    next: street"


def routed(*channels: str) -> Routes:
    """Routes whose community is told by one of these channels."""
    more = "".join(
        f"  - {{id: {name}, kind: {kind}, {rest} timeout: 1s}}\n"
        for name, kind, rest in (
            ("am", "alertmanager", "address: '${AM_URL}',"),
            ("lines", "file", "path: lines.jsonl,"),
            ("screen", "terminal", ""),
        )
    )
    return routes(
        edited(
            ("members:\n", f"{more}members:\n"),
            ("    secret: ${HOOK_SECRET}\n", "    secret: ${HOOK_SECRET}\n    timeout: 1s\n"),
            (
                "channels: [wecom, sms]\n    next: street",
                f"channels: [{', '.join(channels)}]\n    next: street",
            ),
        )
    )


def send_of(routes: Routes, told: Alert | None = None) -> Send:
    """The first message that an alert leads to."""
    told = told if told is not None else alert("H1-1", level="red", do_by=at("2026-03-02 11:00"))
    _, intents = decide(State(), told, NOW, routes)
    return next(intent for intent in intents if isinstance(intent, Send))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def mailbox() -> AsyncIterator[Mailbox]:
    with mail_server() as box:
        yield box  # type: ignore[misc]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with web_server() as site:
        yield site


def environment(**more: str) -> dict[str, str]:
    return {"HOOK_SECRET": SECRET, **more}


def sender(routes: Routes, session: aiohttp.ClientSession, **more: str) -> Sender:
    return Sender(routes, environment(**more), session, clock=lambda: NOW / 1_000_000)


# -- mail, by apprise ------------------------------------------------------------------------------------


def mail_url(port: int) -> str:
    return f"mailto://127.0.0.1:{port}?from=hearthwatch@wuchang.example&to=li@wuchang.example"


async def test_a_mail_server_gets_the_words_of_a_message(
    mailbox: Mailbox, session: aiohttp.ClientSession
) -> None:
    routes = routed("sms", "wecom")
    send = send_of(routes)
    result = await sender(routes, session, LI_SMS=mail_url(mailbox.port)).send(send)
    assert result == Result(send.message, "sms", "li", 1, "sent")
    assert mailbox.recipients == ["li@wuchang.example"]
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[Red] New warning · Huanghelou Street 420106007003"
    body = mail.get_body(("plain", "html"))
    assert body is not None
    for words in ("Because of: Health status.", "by 2026-03-02 11:00", "https://console.example/cases/H1"):
        assert words in body.get_content()


async def test_chinese_words_arrive_as_they_are(mailbox: Mailbox, session: aiohttp.ClientSession) -> None:
    routes = routes_in_chinese()
    send = send_of(routes)
    assert (await sender(routes, session, LI_SMS=mail_url(mailbox.port)).send(send)).outcome == "sent"
    assert mailbox.mails[0]["Subject"] == "[红色] 新预警 · 黄鹤楼街道 420106007003"


def routes_in_chinese() -> Routes:
    return routes(edited(("language: en", "language: zh"), (WAYS, WAYS.replace("wecom, sms", "sms, wecom"))))


async def test_a_mail_server_that_refuses_or_is_gone_is_a_failure_that_says_no_address(
    mailbox: Mailbox, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    routes = routed("sms", "wecom")
    send = send_of(routes)
    mailbox.answer = "550 no such user li@wuchang.example"
    refused = await sender(routes, session, LI_SMS=mail_url(mailbox.port)).send(send)
    gone = await sender(routes, session, LI_SMS=mail_url(unused_port())).send(send)
    assert [(one.outcome, one.reason) for one in (refused, gone)] == [("failed", "not-taken")] * 2
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("mail.")]
    assert not [text for text in ours if "li@wuchang" in text]


async def test_an_address_that_apprise_does_not_know_is_rejected(session: aiohttp.ClientSession) -> None:
    routes = routed("sms", "wecom")
    result = await sender(routes, session, LI_SMS="nosuchservice://x").send(send_of(routes))
    assert (result.outcome, result.reason) == ("rejected", "bad-address")


async def test_a_server_that_stays_silent_is_given_up_after_the_timeout(
    session: aiohttp.ClientSession,
) -> None:
    routes = routes_with_short_timeout()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = mail_url(silent.getsockname()[1])
        result = await sender(routes, session, LI_SMS=url).send(send_of(routes))
    assert (result.outcome, result.reason) == ("failed", "timeout")


def routes_with_short_timeout() -> Routes:
    return routes(
        edited(
            ("- id: sms\n    kind: apprise\n", "- id: sms\n    kind: apprise\n    timeout: 1s\n"),
            (WAYS, WAYS.replace("wecom, sms", "sms, wecom")),
        )
    )


# -- webhook ---------------------------------------------------------------------------------------------


async def test_a_webhook_is_signed_and_carries_its_key(site: Site, session: aiohttp.ClientSession) -> None:
    routes = routed("hook")
    send = send_of(routes)
    result = await sender(routes, session, HOOK_URL=f"{site.url}/hook").send(send)
    assert result.outcome == "sent"
    (request,) = site.requests
    assert request.path == "/hook"
    assert request.headers["Idempotency-Key"] == "H1-1#1@hook" == send.key
    now = NOW / 1_000_000
    assert is_genuine(SECRET.encode(), request.headers, request.body, now)
    body = json.loads(request.body)
    assert (body["key"], body["count"], body["alerts"][0]["id"]) == (send.key, 1, "H1-1")
    # Another body, key, time or sender is not.
    assert not is_genuine(SECRET.encode(), request.headers, request.body + b" ", now)
    assert not is_genuine(b"another", request.headers, request.body, now)
    assert not is_genuine(SECRET.encode(), request.headers, request.body, now + 301)
    later = {**request.headers, "X-Hearthwatch-Timestamp": str(int(now) + 300)}
    assert not is_genuine(SECRET.encode(), later, request.body, now + 300)
    assert not is_genuine(SECRET.encode(), {}, request.body, now)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (204, "sent", ""),
        (302, "rejected", "http-302"),
        (400, "rejected", "http-400"),
        (401, "rejected", "http-401"),
        (404, "rejected", "http-404"),
        (408, "failed", "http-408"),
        (429, "failed", "http-429"),
        (500, "failed", "http-500"),
        (503, "failed", "http-503"),
    ],
)
async def test_what_a_status_says(
    status: int, outcome: str, reason: str, site: Site, session: aiohttp.ClientSession
) -> None:
    routes = routed("hook")
    site.answers = [(status, {"Location": f"{site.url}/elsewhere"} if status == 302 else {})]
    result = await sender(routes, session, HOOK_URL=site.url).send(send_of(routes))
    assert (result.outcome, result.reason) == (outcome, reason)
    assert len(site.requests) == 1  # a redirect is not followed


async def test_who_asks_to_wait_is_waited_for(site: Site, session: aiohttp.ClientSession) -> None:
    routes = routed("hook")
    site.answers = [(429, {"Retry-After": "90"})]
    send = send_of(routes)
    result = await sender(routes, session, HOOK_URL=site.url).send(send)
    assert result.retry_after == 90_000_000
    state, _ = decide(State(), alert("H1-1", level="red"), NOW, routes)
    state, _ = decide(state, result, NOW + 1_000_000, routes)
    assert state.messages[send.message].due == NOW + 91_000_000


@pytest.mark.parametrize("text", ["soon", "-5", "9" * 400, "Wed, 21 Oct 2026 07:28:00 GMT", "²"])
def test_an_odd_retry_after_is_none(text: str) -> None:
    assert of_status(503, text).retry_after == 0
    assert of_status(503, "99999").retry_after == 3_600_000_000


async def test_nobody_there_and_nobody_answering_are_failures(
    site: Site, session: aiohttp.ClientSession
) -> None:
    routes = routed("hook")
    send = send_of(routes)
    refused = await sender(routes, session, HOOK_URL=f"http://127.0.0.1:{unused_port()}").send(send)
    site.answers = [(0, {})]
    silent = await sender(routes, session, HOOK_URL=site.url).send(send)
    odd = await sender(routes, session, HOOK_URL="nothing of the kind").send(send)
    assert [(one.outcome, one.reason) for one in (refused, silent, odd)] == [
        ("failed", "unreachable"),
        ("failed", "timeout"),
        ("rejected", "bad-address"),
    ]


async def test_a_webhook_that_fails_twice_gets_the_same_key_and_body_three_times(
    site: Site, session: aiohttp.ClientSession
) -> None:
    routes = routed("hook")
    site.answers = [(503, {}), (500, {})]
    carrier = sender(routes, session, HOOK_URL=site.url)
    state, intents = decide(State(), alert("H1-1", level="red"), NOW, routes)
    now = NOW
    while sends := [one for one in intents if isinstance(one, Send)]:
        result = await carrier.send(sends[0])
        state, intents = decide(state, result, now + 1_000_000, routes)
        if state.messages:
            now = state.messages[result.message].due
            state, intents = decide(state, result, now, routes)
    assert len({request.headers["Idempotency-Key"] for request in site.requests}) == 1
    assert len({request.body for request in site.requests}) == 1
    assert len(site.requests) == 3
    assert not state.messages


# -- Alertmanager, file, terminal ------------------------------------------------------------------------


async def test_alertmanager_gets_an_alert_by_its_api(site: Site, session: aiohttp.ClientSession) -> None:
    routes = routed("am")
    result = await sender(routes, session, AM_URL=f"{site.url}/").send(send_of(routes))
    assert result.outcome == "sent"
    (request,) = site.requests
    assert request.path == "/api/v2/alerts"
    (one,) = json.loads(request.body)
    assert one["labels"] == {
        "alertname": "HearthwatchAlert",
        "case": "H1",
        "team": "community",
        "level": "red",
        "community": "420106007003",
        "tier": "community",
    }
    assert one["generatorURL"] == "https://console.example/cases/H1"
    assert one["endsAt"] == "2026-03-02T10:00:00+00:00"  # eight hours on, in UTC
    assert all(
        isinstance(value, str) and value for part in ("labels", "annotations") for value in one[part].values()
    )


async def test_a_file_gets_a_line_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: aiohttp.ClientSession
) -> None:
    monkeypatch.chdir(tmp_path)
    routes = routed("lines")
    for _ in range(2):
        assert (await sender(routes, session).send(send_of(routes))).outcome == "sent"
    lines = Path("lines.jsonl")
    first, second = (json.loads(line) for line in lines.read_text("utf-8").splitlines())  # noqa: ASYNC240
    assert first == second
    assert (first["key"], first["alerts"][0]["level"]) == ("H1-1#1@lines", "red")
    lines.unlink()  # noqa: ASYNC240
    lines.mkdir()  # noqa: ASYNC240
    assert (await sender(routes, session).send(send_of(routes))).reason == "not-written"


async def test_a_terminal_shows_the_words(session: aiohttp.ClientSession) -> None:
    routes = routed("screen")
    out = io.StringIO()
    result = await Sender(routes, {}, session, out=out).send(send_of(routes))
    assert result.outcome == "sent"
    assert out.getvalue().startswith("[Red] New warning")
    out.close()
    assert (await Sender(routes, {}, session, out=out).send(send_of(routes))).outcome == "failed"


# -- secrets ---------------------------------------------------------------------------------------------


def test_a_secret_comes_from_its_variable_or_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of a file\n")
    environment = {"A": "of a variable", "B_FILE": str(tmp_path / "key")}
    assert resolve("x://${A}/${B}", environment) == "x://of a variable/of a file"
    with pytest.raises(SettingsError, match="C is not set: set it, or C_FILE"):
        resolve("${C}", environment)
    with pytest.raises(SettingsError, match="D_FILE names a file that cannot be read"):
        resolve("${D}", {"D_FILE": str(tmp_path / "none")})


async def test_without_its_secret_nothing_is_sent_and_it_may_yet_come(session: aiohttp.ClientSession) -> None:
    routes = routed("hook")
    result = await Sender(routes, {"HOOK_URL": "http://127.0.0.1:1"}, session).send(send_of(routes))
    assert (result.outcome, result.reason) == ("failed", "no-secret")


def test_what_the_environment_lacks_is_named_once_each() -> None:
    names = [text.partition(" ")[0] for text in missing(routes(), {"HOOK_URL": "x", "LI_KEY": "x"})]
    assert names == ["HOOK_SECRET", "LI_SMS", "WANG_KEY", "ZHAO_WECOM", "ZHAO_SMS"]


async def test_a_member_who_left_the_routes_is_rejected(session: aiohttp.ClientSession) -> None:
    send = send_of(routes())
    fewer = routes(
        edited(('sms: "${LI_SMS}"', ""), ('{wecom: "wecombot://${LI_KEY}", }', '{sms: "${LI_SMS}"}'))
    )
    assert (await Sender(fewer, {}, session).send(send)).reason == "no-contact"
