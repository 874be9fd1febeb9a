"""A story told with its staff at work: the rules' backtest and the cases' step, without servers.

What staff find and grant goes back to the score, so the warnings are not those of the events alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from casework.alerts.alert import Alert, Resolve
from casework.assistance.suggest import situation, suggest
from casework.cases.book import Book
from casework.cases.case import Household, new
from casework.cases.commands import Record, Tick, WarningPassed, decode_record
from casework.cases.step import step
from casework.stories.acts import Act, Staff, case_now
from rules.backtest import Backtest
from rules.calendar import day_from_text
from rules.compile import Rules
from rules.explain import explain
from streams.stories import Story
from streams.timestamps import parse_timestamp

_json: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Told:
    """What a story led to; bodies as JSON objects, in order.

    Attributes:
        events: of ``case.events``.
        alerts: of ``alerts``; those that end an alert too.
        alerted: the same, each with its instant in microseconds since 1970.
        back: events of civil affairs that the score was told.
        suggested: number of an act to the measures that were worth asking about after it.
        home: what is known of the household's cases in the end.
    """

    home: Household
    warnings: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    alerted: list[tuple[int, Alert | Resolve]] = field(default_factory=list)
    back: list[dict[str, Any]] = field(default_factory=list)
    suggested: dict[int, list[str]] = field(default_factory=dict)


def tell(story: Story, staff: Staff, book: Book, rules: Rules) -> Told:
    """Tell a story, each event and each act at its time.

    Args:
        book: with a catalogue of events and one of assistance.
    """
    assert book.catalog is not None
    assert book.assistance is not None
    return _Teller(story, staff, book, rules).told()


class _Teller:
    def __init__(self, story: Story, staff: Staff, book: Book, rules: Rules) -> None:
        assert book.catalog is not None
        self._story, self._staff, self._book = story, staff, book
        self._backtest = Backtest(book.catalog, rules.policy, rules)
        self._told = Told(new(story.household))
        self._line = 0

    def told(self) -> Told:
        acts = list(self._staff.acts)
        for arrival, line in zip(self._story.arrivals, self._story.lines, strict=True):
            at = parse_timestamp(arrival.replace("+", ":00+"))
            assert at is not None
            while acts and acts[0].at < at:
                self._act(acts.pop(0))
            self._feed(line)
        for act in acts:
            self._act(act)
        self._backtest.finish(day_from_text(self._story.until))
        self._warn()
        end = parse_timestamp(f"{self._story.until}T23:59:59+08:00")
        assert end is not None
        self._step(Tick(end), end)
        return self._told

    def _feed(self, line: bytes) -> None:
        self._line += 1
        self._backtest.feed(self._line, line)
        self._warn()

    def _warn(self) -> None:
        """Pass on what was warned of since, at the warnings' own times."""
        for warning in self._backtest.warnings[len(self._told.warnings) :]:
            body = _json(warning.body)
            self._told.warnings.append(body)
            at = parse_timestamp(body["time"])
            assert at is not None
            passed = decode_record(msgspec.json.encode({"kind": "warning", "body": body}))
            assert isinstance(passed, WarningPassed)
            self._step(passed, at)

    def _act(self, act: Act) -> None:
        self._backtest.finish(day_from_text(act.day))
        self._warn()
        case = case_now(self._told.home)
        household = self._story.household
        command = act.command(
            household, None if case is None else case.id, 0 if case is None else case.version
        )
        self._step(command, act.at)
        if act.suggests:
            self._told.suggested[act.number] = self._suggested()

    def _step(self, record: Record, at: int) -> None:
        told = self._told
        told.home, effects = step(told.home, record, at=at, book=self._book)
        told.events += [_json(event.body()) for event in effects.events]
        told.alerts += [_json(alert.body()) for alert in effects.alerts]
        told.alerted += [(at, alert.alert) for alert in effects.alerts]
        for sent in effects.feedback:
            told.back.append(_json(sent.body))
            self._feed(sent.body)

    def _suggested(self) -> list[str]:
        assert self._book.catalog is not None
        assert self._book.assistance is not None
        rules = self._backtest.rules
        case = case_now(self._told.home)
        causes = () if case is None or case.assessment is None else tuple(case.assessment.causes)
        explained = explain(self._backtest.households[self._story.household], rules, self._book.catalog)
        found = suggest(self._book.assistance, situation(explained, causes), rules.policy)
        return [one.measure.id for one in found.suggested]
