"""What the API answered, held to what was expected."""

from __future__ import annotations

import uuid
from typing import Any

import httpx


def key() -> str:
    return uuid.uuid4().hex


def refused(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["reason"] == reason
    assert problem["type"] == f"urn:hearthwatch:problem:{reason}"
    assert problem["status"] == status
    assert problem["request"] == answer.headers["x-request-id"]
    return problem


def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()["event"]
    return event
