"""What a request is told that a loss behind the API makes impossible."""

from __future__ import annotations

from litestar import Request, get
from litestar.testing import create_test_client

from agents.ledger import LedgerMissingError
from hearthwatch.api.problems import on_ours
from streams.errors import HearthwatchError


@get("/", sync_to_thread=False)
def lost(request: Request[object, object, object]) -> None:
    request.scope["state"]["request_id"] = "r-1"
    raise LedgerMissingError("Redis has lost its data: run `hearthwatch rebuild`")


def test_a_lost_redis_is_told_with_its_fix_and_not_as_a_fault_of_the_program() -> None:
    with create_test_client([lost], exception_handlers={HearthwatchError: on_ours}) as client:  # type: ignore[dict-item]
        answer = client.get("/")
    assert answer.status_code == 503
    told = answer.json()
    assert (told["reason"], told["request"]) == ("unavailable", "r-1")
    assert "hearthwatch rebuild" in told["detail"]
