"""What a household is judged without, as its community sees it over the API."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from streams.deadletters import INTERNAL_ERROR, dead_letter_headers
from tests.api.town import DEADLINE_SECONDS, HERE, Client, Town

pytestmark = pytest.mark.timeout(300)


def test_a_household_shows_what_it_is_judged_without_until_it_counts(town: Town, here: Client) -> None:
    """The program failed on an event about somebody of the family; after the fix it is sent again."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    base = {"specversion": "1.0", "source": "/wuchang/civil-affairs", "time": now}
    family: list[dict[str, Any]] = [
        {
            "type": "registry.household.registered", "subject": "household/S2", "id": "s2-0",
            "data": {"community": HERE},
        },
        {
            "type": "registry.member.joined", "subject": "person/P2", "id": "s2-1",
            "data": {"household": "S2", "role": "head", "birth": "1990-01-01", "sex": "female"},
        },
    ]  # fmt: skip
    event = base | {"type": "care.service.granted", "subject": "person/P2", "id": "s2-2", "data": {}}
    lost = json.dumps(event).encode()
    file = town.folder / "s2.jsonl"

    def published(*lines: bytes) -> None:
        file.write_bytes(b"".join(line + b"\n" for line in lines))
        done = town.run("publish", str(file))
        assert done.returncode == 0, done.stdout + done.stderr

    def until(**expected: Any) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            found = here.get("/v1/households/S2").json()
            if all(found.get(name) == value for name, value in expected.items()):
                return
            assert time.monotonic() < deadline, found

    published(*(json.dumps(base | one).encode() for one in family))
    until(community=HERE, set_aside=[])
    headers = dead_letter_headers(
        [], topic="life.civil-affairs", partition=0, offset=77, reason=INTERNAL_ERROR, message="$: failed"
    )
    town.send("deadletters", (None, lost), headers=[(name, value or b"") for name, value in headers])
    told = {name: event[name] for name in ("type", "source", "id")} | {"at": "life.civil-affairs/0@77"}
    until(set_aside=[told])
    published(lost)
    until(set_aside=[])
