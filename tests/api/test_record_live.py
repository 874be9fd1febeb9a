"""The API on the whole system: what is on record, what its log says, and how it starts and ends."""

from __future__ import annotations

import json
import subprocess
import time

import httpx
import pytest

from tests.api.answers import done, key, refused
from tests.api.town import (
    DEADLINE_SECONDS,
    HERE,
    NEXT_DOOR,
    Client,
    Town,
    opened,
)  # fmt: skip


def test_every_look_and_every_change_is_on_record_with_who_and_why(
    town: Town, here: Client, auditor: Client
) -> None:
    case = opened(town, "A1", HERE)
    for path in (f"/v1/cases/{case}", f"/v1/cases/{case}/history", "/v1/households/A1"):
        answer = here.http.get(path, headers={"X-Request-Id": "look-1", "X-Purpose": "明天走访".encode()})
        assert answer.headers["x-request-id"] == "look-1"
    here.get("/v1/cases", community=HERE)
    command = key()
    done(here.command(case, "acknowledge", 1, command))
    refused(here.command(case, "acknowledge", 1, key()), 409, "stale")
    stranger = Client(town, town.token("next", "community", NEXT_DOOR))
    refused(stranger.get(f"/v1/cases/{case}"), 404, "not-found")
    found = [one["record"] for one in auditor.get("/v1/audit", household="A1", limit=500).json()["records"]]
    mine = [one["entry"] for one in reversed(found) if one["entry"]["who"]["id"] == "anna"]
    assert [(one["kind"], one["what"], one["result"]) for one in mine] == [
        ("read", "case", "ok"), ("read", "history", "ok"),
        ("read", "household", "ok"), ("read", "cases", "ok"),
        ("change", "case", "sent"), ("change", "case", "done"),
        ("change", "case", "sent"), ("change", "case", "stale"),
    ]  # fmt: skip
    assert {one["why"] for one in mine[:3]} == {"明天走访"}
    assert mine[0]["request"] == "look-1"
    assert mine[4]["request"] == mine[5]["request"] == command
    assert mine[0]["by"] == "GET /v1/cases/{case_id}"
    assert mine[0]["who"]["token"] == town.texts["anna"].split("_")[1]
    next_doors = Client(town, town.token("auditor-next-door", "auditor", NEXT_DOOR))
    seen = next_doors.get("/v1/audit", limit=500).json()["records"]
    assert {one["record"]["entry"]["who"]["id"] for one in seen} == {"next", "next-door"}
    in_vain = auditor.get("/v1/audit", case=case, actor="next").json()["records"]
    assert [one["record"]["entry"]["result"] for one in in_vain] == ["not-found"]
    assert town.run("audit", "verify").returncode == 0


def test_the_log_names_no_household_no_path_and_no_token(town: Town, here: Client) -> None:
    case = opened(town, "SECRETHOUSE", HERE)
    here.get(f"/v1/cases/{case}")
    here.get("/v1/households/SECRETHOUSE")
    log = (town.folder / "data" / "run" / "api-1.log").read_text("utf-8")
    assert "the HTTP API is at" in log
    assert "SECRETHOUSE" not in log
    assert "/v1/" not in log
    assert "hw_" not in log


def test_nothing_is_shown_that_cannot_be_put_on_record(town: Town, here: Client) -> None:
    case = opened(town, "Q1", HERE)
    with town.without_broker():
        problem = refused(here.get(f"/v1/cases/{case}"), 503, "unavailable")
        assert "audit log" in problem["detail"]
        assert "household" not in json.dumps(problem)
        assert httpx.get(f"{town.url}/health", timeout=DEADLINE_SECONDS).status_code == 503
    # Each look in vain takes the ten seconds that the audit log is waited for.
    until = time.monotonic() + DEADLINE_SECONDS
    while (answer := here.get(f"/v1/cases/{case}")).status_code != 200:
        assert time.monotonic() < until, answer.text
    assert httpx.get(f"{town.url}/health", timeout=DEADLINE_SECONDS).json() == {"status": "ok"}


def test_it_speaks_tls_and_ends_in_good_order(town: Town, tls: tuple[str, str]) -> None:
    certificate, private_key = tls
    process = subprocess.Popen(
        [*town.program, "api", "--port", "0"],
        env={
            **town.environment,
            "HEARTHWATCH_API_CERT_FILE": certificate,
            "HEARTHWATCH_API_KEY_FILE": private_key,
        },
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        url = next(
            line.rsplit(" ", 1)[1] for line in iter(process.stderr.readline, "") if "is at https" in line
        )
        import ssl

        context = ssl.create_default_context(cafile=certificate)
        token = {"Authorization": f"Bearer {town.token('anna', 'community', HERE)}"}
        with httpx.Client(base_url=url.strip(), verify=context, headers=token, timeout=60) as client:
            assert client.get("/v1/counts").status_code == 200
            with client.stream("GET", "/v1/changes") as stream:
                lines = stream.iter_lines()
                assert next(lines).startswith(": ")
                process.terminate()
                assert not [line for line in lines if line.startswith("data")]
        assert process.wait(DEADLINE_SECONDS) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HEARTHWATCH_TOKENS": ""}, "HEARTHWATCH_TOKENS"),
        ({"HEARTHWATCH_API_PORT": "1"}, "choose another with HEARTHWATCH_API_PORT"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_a_line(town: Town, given: dict[str, str], said: str) -> None:
    if "HEARTHWATCH_API_PORT" in given:
        given = {"HEARTHWATCH_API_PORT": town.url.rsplit(":", 1)[1]}  # it is taken
    found = subprocess.run(
        [*town.program, "api"], env={**town.environment, **given}, capture_output=True, text=True,
        check=False, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert found.returncode == 2
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_another_api_shows_the_same_warnings_at_once(town: Town, here: Client) -> None:
    opened(town, "T1", HERE)
    until = time.monotonic() + DEADLINE_SECONDS
    while "T1-1" not in [one["id"] for one in here.get("/v1/warnings").json()["warnings"]]:
        assert time.monotonic() < until
    process = subprocess.Popen(
        [*town.program, "api", "--port", "0"], env=town.environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        url = next(
            line.rsplit(" ", 1)[1] for line in iter(process.stderr.readline, "") if "is at http" in line
        )
        token = {"Authorization": f"Bearer {town.token('anna', 'community', HERE)}"}
        other = httpx.get(f"{url.strip()}/v1/warnings", params={"limit": 500}, headers=token, timeout=60)
        assert other.json() == here.get("/v1/warnings", limit=500).json()
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
