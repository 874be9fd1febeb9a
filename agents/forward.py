"""The forward stage: warnings in, the same warnings to the cases of their households out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, Literal

import msgspec

from agents.deciding import Stage
from agents.lanes import Lane, Part
from agents.person import fail
from casework.cases.commands import WarningBody, WarningPassed, encode_record
from streams.origins import ORIGIN
from streams.records import CASE_COMMANDS, DEADLETTERS, WARNINGS
from streams.timestamps import parse_timestamp

Clock = Literal["wall", "log"]


class _Warning(WarningBody, frozen=True):
    """A warning with its own time."""

    time: str


_decode: Final = msgspec.json.Decoder(_Warning).decode


class ForwardStage(Stage):
    """Passes ``warnings`` on to ``case.commands``, and keeps nothing.

    A warning that is passed on twice is the same warning, and its household's cases take it once; so this
    stage may begin anywhere that is not behind what it has read.

    Args:
        clock: in ``log`` a record is stamped with the warning's own time: deadlines run by that.
    """

    name: ClassVar[str] = "forward"
    max_part: ClassVar[int] = 2_000
    keeps_states: ClassVar[bool] = False

    def __init__(self, *, clock: Clock = "wall") -> None:
        self.topics = (WARNINGS,)
        self.sends_to = (CASE_COMMANDS, DEADLETTERS)
        self.clock = clock

    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """What is sent on; no states."""
        out = []
        for record in records:
            try:
                warning = _decode(record.value)
                household = record.key.decode()
                if household != warning.data.household:
                    raise ValueError("the key is not the household")
                passed = WarningPassed(WarningBody(warning.id, warning.type, warning.data))
                at = parse_timestamp(warning.time)
                if at is None:
                    raise ValueError("the time cannot be read")
                out.append((record, encode_record(passed), at))
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                fail(part, lane, record, None, error)
        return out, ()

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Send the warnings on, each with the way back to the event behind it."""
        add = part.sends.append
        is_timed = self.clock == "log"
        for record, value, at in read:
            headers = [(name, held) for name, held in record.headers if name == ORIGIN]
            if is_timed:
                add((CASE_COMMANDS, record.key, value, headers, max(0, at // 1000)))
            else:
                add((CASE_COMMANDS, record.key, value, headers))
        part.tallies["records", self.name] += part.count
