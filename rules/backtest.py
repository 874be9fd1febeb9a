"""The backtest: the same steps over a file, with no servers (docs/reference/backtest.md).

Persons and households live in memory; messages between them are handed over at once, so that a transfer
stands for its join.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import msgspec

from rules.compile import Rules, compile_policy
from rules.household import Warning, catch_up, new
from rules.household import step as household_step
from rules.person import Person
from rules.person import step as person_step
from rules.policy import Policy
from rules.score import add_up
from rules.state import Household
from rules.warnings import dimensions
from streams.catalog import Catalog
from streams.envelope import Decoder
from streams.errors import DecodeError
from streams.events import Event
from streams.records import About, Message, Origin, PersonRecord

LONGEST_LINE: Final = 65_536
"""A longer line is rejected as ``too-large`` and not kept in memory."""

_BLOCK: Final = 1 << 20
_NOWHERE: Final = Origin("", 0, 0)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that the contract rejects; lines count from 1."""

    line: int
    reason: str
    message: str


class Backtest:
    """One run over events in order of arrival.

    Attributes:
        households: by id, in order of appearance.
        warnings: so far, in order for each household.
        accepted, rejected: numbers of lines.
    """

    def __init__(self, catalog: Catalog, policy: Policy, rules: Rules | None = None) -> None:
        self.rules = rules or compile_policy(policy, catalog)
        self.decoder = Decoder(catalog)
        self.persons: dict[str, Person] = {}
        self.households: dict[str, Household] = {}
        self.warnings: list[Warning] = []
        self.accepted = 0
        self.rejected = 0
        self.today: int | None = None
        self._at = 0

    def feed(self, line: int, value: bytes) -> Rejection | None:
        """Take in one line (without its LF); a blank one changes nothing."""
        try:
            event = self.decoder.line(value)
        except DecodeError as error:
            if not value.strip(b" \t\r"):
                return None
            self.rejected += 1
            return Rejection(line, error.reason, error.message)
        self.accepted += 1
        self.take(event)
        return None

    def take(self, event: Event) -> None:
        """Take in one accepted event."""
        day = self.rules.calendar.day_of(event.received)
        if self.today is None or day > self.today:
            self.today = day
        self._at += 1
        if not event.about_person:
            self._send(About(event.subject, "", (self._at, 0), _NOWHERE, event))
            return
        person, messages = person_step(
            self.persons.get(event.subject), PersonRecord(event, _NOWHERE), channel="", offset=self._at
        )
        if person is not None:
            self.persons[event.subject] = person
        for message in messages:
            self._send(message)

    def _send(self, message: Message) -> None:
        assert self.today is not None
        home = self.households.get(message.household)
        if home is None:
            home = self.households[message.household] = new(message.household)
        _, effects = household_step(home, message, rules=self.rules, day=self.today, offset=self._at)
        # What a household warns of comes before what another makes of its transfer.
        transfers = []
        for effect in effects:
            if isinstance(effect, Warning):
                self.warnings.append(effect)
            else:
                transfers.append(effect)
        for transfer in transfers:
            self._send(transfer)

    def finish(self, until: int | None = None) -> None:
        """Let every household tick up to the last day, or on to ``until`` (days since 1970-01-01)."""
        if self.today is None:
            return
        if until is not None and until > self.today:
            self.today = until
        for home in self.households.values():
            _, effects = catch_up(home, rules=self.rules, day=self.today)
            self.warnings.extend(effect for effect in effects if isinstance(effect, Warning))
        # By day, so that a person can read on; a household's own order stays.
        self.warnings.sort(key=lambda warning: warning.day)

    def scores(self) -> Iterator[dict[str, Any]]:
        """The score of each household with members, by id."""
        levels = self.rules.policy.levels
        for id in sorted(self.households):
            home = self.households[id]
            members = len(home.members)
            if members:
                score = add_up(home, self.rules)
                yield {
                    "household": id,
                    "community": home.community,
                    "members": members,
                    "score": score.total,
                    "level": levels[home.level - 1].id if home.level else None,
                    "dimensions": dimensions(score, self.rules),
                }


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file without their LF; of one that is too long only its beginning."""
    rest = b""
    while block := file.read(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        if len(rest) > LONGEST_LINE:
            # Its end tells a line of blanks, which is skipped, from one that is too long.
            rest = rest[:LONGEST_LINE] + (rest.strip(b" \t\r")[:1] or b" ")
    if rest:
        yield rest


@contextmanager
def uncollected() -> Iterator[None]:
    """Run without the collector of cycles: it would look through all households again and again, in vain.

    A sixth of a backtest's time; households hold no cycles.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


encode_json = msgspec.json.Encoder().encode
