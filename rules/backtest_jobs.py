"""A backtest on several cores: households that no person ever moves between do not know of each other.

Events are decoded once, in order, which also tells the day of each. Persons and households that a registry
event brings together form a group; each group is evaluated by one process, in the order of the file.
"""

from __future__ import annotations

import multiprocessing
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec

from rules.backtest import Backtest, Rejection
from rules.policy import Policy
from streams.catalog import JOINED, Catalog
from streams.errors import DecodeError, HearthwatchError
from streams.events import Event

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode

#: Days are stored in four bytes; no event can be of a day as far away as this.
_NO_DAY: Final = -(2**31)


@dataclass(frozen=True, slots=True)
class Told:
    """A warning of another process: its day and its body."""

    day: int
    body: bytes


class Groups:
    """Which persons and households belong together, found by joining sets."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._parent = array("i")

    def number(self, subject: str) -> int:
        """The number of a subject, from 0."""
        number = self._number.get(subject)
        if number is None:
            number = self._number[subject] = len(self._parent)
            self._parent.append(number)
        return number

    def root(self, number: int) -> int:
        """The number that stands for the whole group."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make one group of two."""
        self._parent[self.root(one)] = self.root(other)

    def deal(self, subjects: array[int], hands: int) -> array[int]:
        """Deal the groups to so many hands, the largest first, so that each gets as many events.

        Args:
            subjects: the number of each event's subject.

        Returns:
            The hand of each number.
        """
        roots = array("i", (self.root(number) for number in range(len(self._parent))))
        total = Counter(roots[number] for number in subjects)
        total.update(dict.fromkeys(roots, 0))
        load = [0] * hands
        hand_of: dict[int, int] = {}
        for root, weight in sorted(total.items(), key=lambda item: (-item[1], item[0])):
            hand = load.index(min(load))
            load[hand] += weight
            hand_of[root] = hand
        return array("i", (hand_of[root] for root in roots))


class ParallelBacktest:
    """The same as :class:`rules.backtest.Backtest`, evaluated by several processes in :meth:`finish`.

    Warnings are the same for each household; between households their order within a day may differ.
    """

    def __init__(self, catalog: Catalog, policy: Policy, jobs: int) -> None:
        self._plain = Backtest(catalog, policy)
        self._jobs = jobs
        self._groups = Groups()
        self._text = bytearray()
        self._ends = array("q")
        self._days = array("i")
        self._subjects = array("i")
        self._hands = array("i")
        self.warnings: list[Told] = []
        self.accepted = 0
        self.rejected = 0
        self._scores: list[dict[str, Any]] = []

    def feed(self, line: int, value: bytes) -> Rejection | None:
        """Take in one line (without its LF); a blank one changes nothing."""
        try:
            event = self._plain.decoder.line(value)
        except DecodeError as error:
            if not value.strip(b" \t\r"):
                return None
            self.rejected += 1
            return Rejection(line, error.reason, error.message)
        self.accepted += 1
        day = self._plain.rules.calendar.day_of(event.received)
        last = self._days[-1] if self._days else _NO_DAY
        groups = self._groups
        number = groups.number(f"{'person' if event.about_person else 'household'}/{event.subject}")
        if event.type == JOINED:
            groups.join(number, groups.number(f"household/{event.data['household']}"))
        self._text += _encode(event)
        self._ends.append(len(self._text))
        self._days.append(max(day, last))
        self._subjects.append(number)
        return None

    def finish(self, until: int | None = None) -> None:
        """Evaluate everything, and let every household tick up to the last day, or on to ``until``."""
        if not self._days:
            return
        last = self._days[-1] if until is None else max(until, self._days[-1])
        self._hands = self._groups.deal(self._subjects, self._jobs)
        # Forked, so that every process sees what was decoded without a copy.
        context = multiprocessing.get_context("fork")
        pipes = []
        for hand in range(self._jobs):
            ours, theirs = context.Pipe(duplex=False)
            context.Process(target=self._tell, args=(hand, last, theirs), daemon=True).start()
            theirs.close()
            pipes.append(ours)
        for ours in pipes:
            try:
                warnings, scores = ours.recv()
            except EOFError:
                raise HearthwatchError("a process of the backtest ended early (out of memory?)") from None
            self.warnings += [Told(day, body) for day, body in warnings]
            self._scores += scores
        self.warnings.sort(key=lambda warning: warning.day)
        self._scores.sort(key=lambda score: score["household"])

    def _tell(self, hand: int, last: int, pipe: Connection) -> None:
        """Evaluate the groups dealt to one hand; send (day, body) of each warning, and the scores."""
        run = self._plain
        begin = 0
        text = memoryview(self._text)
        for end, day, number in zip(self._ends, self._days, self._subjects, strict=True):
            if self._hands[number] == hand:
                run.today = day
                run.take(_decode(text[begin:end]))
            begin = end
        run.today = last
        run.finish()
        pipe.send(([(warning.day, warning.body) for warning in run.warnings], list(run.scores())))

    def scores(self) -> Iterator[dict[str, Any]]:
        """The score of each household with members, by id."""
        yield from self._scores
