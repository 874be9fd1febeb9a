"""The backtest of the oracle: lines in order of arrival, ticks in between, warnings out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.oracle.accept import Event, Rejected, accept
from tests.oracle.clock import format_date, format_time, local_day, midnight
from tests.oracle.model import ENDLESS, Kept, Measure, Score, World, newest_first
from tests.oracle.reading import JOINED, LEFT, REGISTERED, RETRACTED, read_catalog, read_policy

Message = dict[str, Any]


@dataclass
class Standing:
    """What is remembered of a household besides its facts."""

    rank: int = 0
    score: int = 0
    warnings: int = 0


@dataclass
class Outputs:
    warnings: list[Message] = field(default_factory=list)
    scores: list[Message] = field(default_factory=list)
    rejections: list[Message] = field(default_factory=list)


class Backtest:
    """One run over one file."""

    def __init__(self, catalog: bytes, policy: bytes) -> None:
        self.catalog = read_catalog(catalog)
        self.policy = read_policy(policy, self.catalog)
        self.world = World(self.catalog, self.policy)
        self.clock: int | None = None
        self.standings: dict[str, Standing] = {}
        self.outputs = Outputs()

    def run(self, events: bytes, until: int | None) -> Outputs:
        lines = events.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        for number, line in enumerate(lines, start=1):
            if line.strip(b" \t\r") == b"":
                continue
            try:
                event = accept(line, self.catalog)
            except Rejected as rejected:
                self.outputs.rejections.append(
                    {"line": number, "reason": rejected.reason, "message": rejected.message}
                )
                continue
            self.move_clock(event.received)
            self.apply(event)
        if until is not None and self.clock is not None:
            self.tick_to(until)
        self.outputs.scores = self.scores()
        return self.outputs

    def move_clock(self, arrival: int) -> None:
        day = local_day(self.policy.zone, arrival)
        if self.clock is None:
            self.clock, self.world.today = arrival, day
            return
        self.tick_to(day)
        self.clock = max(self.clock, arrival)

    def tick_to(self, last: int) -> None:
        for day in range(self.world.today + 1, last + 1):
            instant = midnight(self.policy.zone, day)
            if instant is None:
                continue
            assert self.clock is not None
            self.world.today = day
            self.clock = max(self.clock, instant)
            for household in sorted(set(self.standings) | self.world.households()):
                community = self.world.community(household)
                self.evaluate(household, community, "day", {"day": format_date(day)}, instant)

    def apply(self, event: Event) -> None:
        kind, name = event.subject.split("/", 1)
        touched: set[str | None] = {name} if kind == "household" else {self.world.home(name)}
        before = self.world.community(name) if kind == "household" else None
        if not self.world.arrive(event):
            return
        if kind == "person":
            touched.add(self.world.home(name))
        cause = {"source": event.source, "id": event.id, "subject": event.subject}
        for household in sorted(home for home in touched if home is not None):
            community = before if kind == "household" else self.world.community(household)
            self.evaluate(household, community, reason_of(event), cause, event.received)

    def evaluate(self, household: str, before: str | None, reason: str, cause: Message, time: int) -> None:
        """Score a household, move its level, and send at most one warning."""
        standing = self.standings.setdefault(household, Standing())
        members = self.world.members(household)
        community = self.world.community(household)
        nothing = Score(0, {name: 0 for name, _, _ in self.policy.dimensions}, (), 0)
        score = self.world.score(household, members) if members else nothing
        levels = self.policy.levels
        old = standing.rank
        reached = max([rank for rank, level in enumerate(levels, 1) if level[1] <= score.total], default=0)
        upper = max(reached, score.floor) if members else 0
        new = old
        if not members:
            new = 0
        elif upper > old:
            new = upper
        else:
            while new > 0 and new > score.floor and score.total < levels[new - 1][2]:
                new -= 1
        previous_score, standing.score, standing.rank = standing.score, score.total, new
        if new > old:
            kind = "raised" if old == 0 else "upgraded"
        elif new < old and new > 0:
            kind = "lowered"
        elif new < old:
            kind = "withdrawn" if members and reason in ("correction", "retraction") else "cleared"
        elif new > 0 and community != before:
            kind = "moved"
        else:
            return
        standing.warnings += 1
        name = self.policy.name
        self.outputs.warnings.append(
            {
                "specversion": "1.0",
                "type": f"warning.{kind}",
                "source": f"hearthwatch/{name}",
                "subject": f"household/{household}",
                "id": f"{household}-{standing.warnings}",
                "time": format_time(time),
                "datacontenttype": "application/json",
                "data": {
                    "household": household,
                    "community": community,
                    "previous_community": before,
                    "members": len(members),
                    "level": level_id(levels, new),
                    "previous_level": level_id(levels, old),
                    "score": score.total,
                    "previous_score": previous_score,
                    "dimensions": score.dimensions,
                    "reason": reason,
                    "cause": cause,
                    "day": format_date(self.world.today),
                    "because": [
                        {
                            "indicator": outcome.indicator.name,
                            "dimension": outcome.indicator.dimension,
                            "tier": outcome.indicator.tier,
                            "person": outcome.person,
                            "points": outcome.points,
                            "measure": in_message(outcome.measure),
                            "facts": [fact_in_message(kept) for kept in newest_first(outcome.facts)],
                        }
                        for outcome in score.because
                    ],
                    "policy": {"id": name, "version": self.policy.version, "digest": self.policy.digest},
                },
            }
        )

    def scores(self) -> list[Message]:
        found = []
        for household in sorted(self.world.households()):
            members = self.world.members(household)
            score = self.world.score(household, members)
            standing = self.standings[household]
            assert standing.score == score.total, household
            found.append(
                {
                    "household": household,
                    "community": self.world.community(household),
                    "members": len(members),
                    "score": score.total,
                    "level": level_id(self.policy.levels, standing.rank),
                    "dimensions": score.dimensions,
                }
            )
        return found


def level_id(levels: tuple[tuple[str, int, int], ...], rank: int) -> str | None:
    return levels[rank - 1][0] if rank > 0 else None


def reason_of(event: Event) -> str:
    if event.type in (JOINED, LEFT):
        return "membership"
    if event.type == REGISTERED:
        return "registration"
    if event.type == RETRACTED:
        return "retraction"
    return "fact" if event.supersedes is None else "correction"


def in_message(measure: Measure) -> int | float | None:
    """Rounded to 4 decimals, halves towards plus infinity; the nearest double."""
    if measure is None or measure == ENDLESS:
        return None
    assert isinstance(measure, Fraction)
    rounded = Fraction(math.floor(measure * 10_000 + Fraction(1, 2)), 10_000)
    return int(rounded) if rounded.denominator == 1 else float(rounded)


def fact_in_message(kept: Kept) -> Message:
    event = kept.event
    return {
        "source": event.source,
        "id": event.id,
        "subject": event.subject,
        "type": event.type,
        "day": format_date(kept.day),
    }


def backtest(catalog: bytes, policy: bytes, events: bytes, until: int | None = None) -> Outputs:
    """Run the whole file; `until` is a day (days since 1970-01-01)."""
    return Backtest(catalog, policy).run(events, until)
