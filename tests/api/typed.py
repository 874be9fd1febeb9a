"""`hearthwatch case` as it is typed in the town, and what it and the audit log say then."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hearthwatch.connections import kafka_connection
from streams.audit import Entry, decode_audit
from streams.partition_log import PartitionLog
from tests.api.town import Town

STREET = "420106021"
HERE, NEXT_DOOR = STREET + "001", STREET + "002"


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Standard output, where it is JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Said]


ANNA = ("anna", "community", HERE)
SUN = ("sun", "street", STREET)


def done(said: Said) -> Said:
    assert said.status == 0, said.err
    return said


def shown(case: Cli, id: str) -> dict[str, Any]:
    (found,) = done(case("show", id, "--json")).lines
    assert isinstance(found, dict)
    return found


def on_record(town: Town, id: str) -> list[Entry]:
    """What the audit log has of a case."""
    log = PartitionLog(kafka_connection(town.settings), "audit")
    try:
        read = [decode_audit(record.value) for record in log.records()]
    finally:
        log.close()
    entries = [one.entry for one in read if one is not None]
    home = id.rpartition("-")[0]
    return [one for one in entries if one.case == id or (one.what == "cases" and home in one.households)]
