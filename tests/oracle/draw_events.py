"""A random history of one small district, as mean to the rules as it can be."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from random import Random

from tests.oracle.clock import DAY, EPOCH, SECOND, format_date, local_day, midnight
from tests.oracle.draw_lines import Lines, Pairs, Sent, data_of
from tests.oracle.places import Place
from tests.oracle.reading import JOINED, LEFT, PERSON, REGISTERED, RETRACTED, ROLES, Catalog, Policy
from tests.oracle.writing import Writable

HOUR = 3600 * SECOND
STEPS = ("hours", "days", "midnight", "same", "weeks", "expiry", "back")


@dataclass
class _Known:
    """What was sent so far, to be repeated, corrected and collided with."""

    facts: list[Sent] = field(default_factory=list)
    registry: list[Sent] = field(default_factory=list)
    promised: list[Sent] = field(default_factory=list)  # corrected before they are sent
    times: list[int] = field(default_factory=list)
    ids: int = 0


class History:
    """Draws one event after another, in order of arrival (more or less)."""

    def __init__(self, draw: Random, catalog: Catalog, policy: Policy, place: Place, size: int) -> None:
        self.draw = draw
        self.catalog = catalog
        self.policy = policy
        self.place = place
        self.size = size
        self.lines = Lines(draw, catalog)
        self.known = _Known()
        self.persons = draw.sample(
            ["p1", "p2", "p3", "p4", "P1", "h1", "1", ".", "_-", "p" * 64, "p10", "~".replace("~", "p0")],
            draw.randint(1, 7),
        )
        self.households = draw.sample(["h1", "h2", "H2", "p1", "-", "h" * 64, "0"], draw.randint(1, 4))
        midday = midnight(policy.zone, place.start) or place.start * DAY
        self.now = midday + draw.randint(0, 20) * HOUR
        self.first = self.now
        self.quiet = draw.choice([0.1, 0.3, 0.6])  # how often time stands nearly still
        self.span = draw.choice([20, 60, 60, 120, 200]) * DAY
        self.wild = draw.choice([0.0, 0.03, 0.1])  # the share of lines that go wrong
        # A few names that everything is called by, and days all over what is kept.
        self.crowded = draw.random() < 0.3
        if self.crowded:
            self.persons = self.persons[:2]
            self.span = min(self.span, 3 * catalog.keep * DAY + 10 * DAY)

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    # -- time --------------------------------------------------------------------

    def near_midnight(self, day: int) -> int:
        instant = midnight(self.policy.zone, day) or day * DAY
        return instant + self.draw.choice([0, 0, -1, 1, -SECOND, SECOND, 59 * SECOND, -HOUR, HOUR])

    def advance(self) -> None:
        draw = self.draw
        if self.chance(self.quiet):
            self.now += draw.randint(0, 600) * SECOND
            return
        today = local_day(self.policy.zone, self.now)
        left = self.first + self.span - self.now
        step = draw.choice(STEPS)
        if step == "hours":
            self.now += draw.randint(0, 10) * HOUR + draw.randint(0, 999_999)
        elif step == "days":
            self.now += draw.randint(1, 60) * HOUR
        elif step == "midnight":
            self.now = max(self.now, self.near_midnight(today + draw.choice([1, 1, 2])))
        elif step == "weeks" and left > 30 * DAY:
            self.now += draw.randint(3, 25) * DAY
        elif step == "expiry" and self.known.facts and left > 5 * DAY:
            # The midnight on which something of the last facts falls out of keep.
            sent = draw.choice(self.known.facts[-8:])
            gone = local_day(self.policy.zone, sent.time) + self.catalog.keep
            if today < gone < today + 40:
                self.now = self.near_midnight(gone + draw.choice([0, 0, -1, 1]))
        elif step == "back":
            self.now -= draw.randint(0, 30) * HOUR

    def times(self) -> tuple[int, int]:
        """(time, arrival) of the next event."""
        draw = self.draw
        arrival = self.now - (draw.randint(0, 50) * HOUR if self.chance(0.05) else 0)
        if self.crowded and self.chance(0.5):
            days = draw.randint(-1, min(self.catalog.keep, 60))
            return max(min(arrival - days * DAY, arrival + DAY), arrival - 400 * DAY), arrival
        how = draw.random()
        if how < 0.5:
            return arrival, arrival
        if how < 0.62:
            return arrival - draw.randint(0, 48 * 3600) * SECOND, arrival
        if how < 0.70:
            return arrival - draw.randint(2, 40) * DAY, arrival
        if how < 0.76:
            day = local_day(self.policy.zone, arrival) - self.catalog.keep + draw.choice([0, 0, 1, 1, 2, -1])
            return min(self.near_midnight(day), arrival + DAY), arrival
        if how < 0.84:
            return arrival + draw.choice([DAY, DAY - 1, draw.randint(1, 24) * HOUR, 1]), arrival
        if how < 0.85:
            return arrival + DAY + draw.choice([1, SECOND]), arrival
        if how < 0.93 and self.known.times:
            return min(draw.choice(self.known.times[-10:]), arrival + DAY), arrival
        day = local_day(self.policy.zone, arrival)
        return min(self.near_midnight(day + draw.choice([0, 0, 1, -1])), arrival + DAY), arrival

    # -- names -------------------------------------------------------------------

    def fresh_id(self) -> str:
        self.known.ids += 1
        name = f"e{self.known.ids}"
        how = self.draw.random()
        if how < 0.06:
            return self.draw.choice(["é", "武", "\U00010000", "\uffff", " ", "\u0000", "\ufeff"]) + name
        if how < 0.08:
            return name.rjust(128, "x")
        return name

    def fact_id(self) -> str:
        if self.crowded and self.chance(0.8):
            return self.draw.choice("abcd")
        if self.known.facts and self.chance(0.08):
            return self.draw.choice(self.known.facts).id
        return self.fresh_id()

    def person(self) -> str:
        return f"person/{self.draw.choice(self.persons)}"

    def source_for(self, type_name: str) -> str | None:
        allowed = self.catalog.types[type_name].departments
        sources = sorted(name for name, department in self.catalog.sources.items() if department in allowed)
        return self.draw.choice(sources) if sources else None

    # -- events ------------------------------------------------------------------

    def run(self) -> list[bytes]:
        while len(self.lines.written) < self.size:
            self.advance()
            self.one()
        return self.lines.written

    def one(self) -> None:
        how = self.draw.random()
        if how < self.wild:
            self.lines.write_wrong(self.draw.choice(self.known.facts + self.known.registry or [self.fact()]))
        elif how < 0.52:
            self.send_fact(self.fact())
        elif how < 0.62:
            self.correct()
        elif how < 0.70:
            self.retract()
        elif how < 0.90 or len(self.known.registry) < 2:
            self.register()
        elif how < 0.96:
            self.repeat()
        elif how < 0.975:
            self.burst()
        else:
            self.keep_promise()

    def fact(self, like: Sent | None = None) -> Sent:
        """A fact with its time; about the same subject and from the same source as `like`."""
        draw = self.draw
        names = sorted(self.catalog.facts)
        if like is not None:
            allowed = [name for name in names if self.may_send(name, like)]
            names = allowed or names
        name = draw.choice(names)
        event_type = self.catalog.types[name]
        subject = (
            self.person() if event_type.subject == PERSON else f"household/{draw.choice(self.households)}"
        )
        source = self.source_for(name)
        assert source is not None
        if like is not None and self.may_send(name, like):
            subject, source = like.subject, like.source
        time, arrival = self.times()
        return Sent(
            source, self.fact_id(), name, subject, time, arrival, data_of(event_type, draw, self.place)
        )

    def may_send(self, name: str, like: Sent) -> bool:
        event_type = self.catalog.types[name]
        return (
            self.catalog.sources.get(like.source) in event_type.departments
            and like.subject.split("/")[0] == event_type.subject
        )

    def send_fact(self, sent: Sent) -> None:
        self.known.facts.append(sent)
        self.known.times.append(sent.time)
        self.lines.write(sent)

    def target(self) -> Sent | None:
        """What a correction or retraction names: mostly recent, now and then long ago."""
        facts = self.known.facts
        if not facts:
            return None
        return self.draw.choice(facts[-6:] if self.chance(0.7) else facts)

    def correct(self) -> None:
        target = self.target()
        if target is None:
            self.send_fact(self.fact())
            return
        sent = self.fact(like=target if self.chance(0.8) else None)
        if self.crowded:
            sent = sent.but(supersedes=self.draw.choice([name for name in "abcd" if name != sent.id]))
        elif self.chance(0.15):
            sent = sent.but(supersedes=self.promise(sent).id)
        elif self.chance(0.1):
            sent = sent.but(supersedes=self.draw.choice(["never", "", sent.id, "x" * 129, self.fresh_id()]))
        else:
            sent = sent.but(supersedes=target.id)
        self.send_fact(sent)

    def retract(self) -> None:
        target = self.target()
        time, arrival = self.times()
        if target is None or self.chance(0.1):
            target = self.fact()
        named = self.promise(target).id if self.chance(0.2) else target.id
        if self.crowded:
            named = self.draw.choice("abcd")
        source, subject = target.source, target.subject
        if self.chance(0.1):
            source = self.draw.choice(sorted(self.catalog.sources))
        if self.chance(0.1):
            subject = self.person()
        data: Pairs = [("reason", self.draw.choice(["booked wrongly", "", "错"]))]
        self.send_fact(
            Sent(source, self.fact_id(), RETRACTED, subject, time, arrival, data, supersedes=named)
        )

    def promise(self, like: Sent) -> Sent:
        """An event that is named before it is sent (if it ever is)."""
        sent = self.fact(like=like)
        if sent.subject == like.subject:
            sent = sent.but(id=self.fresh_id())
        self.known.promised.append(sent)
        return sent

    def keep_promise(self) -> None:
        if not self.known.promised:
            self.send_fact(self.fact())
            return
        promised = self.known.promised.pop(self.draw.randrange(len(self.known.promised)))
        time, arrival = self.times()
        self.send_fact(promised.but(time=time, arrival=arrival))

    def repeat(self) -> None:
        """The same event again, or another one under the same name."""
        everything = self.known.facts + self.known.registry
        if not everything:
            self.send_fact(self.fact())
            return
        old = self.draw.choice(everything)
        if self.chance(0.4):
            self.lines.write(old)
            return
        if old.type in (JOINED, LEFT, REGISTERED):
            self.register(old)
            return
        other = self.fact(like=old)
        self.send_fact(other.but(source=old.source, id=old.id, subject=old.subject, type=other.type))

    def burst(self) -> None:
        """More facts of one subject than a message shows."""
        first = self.fact()
        for _ in range(self.draw.randint(5, 26)):
            time, arrival = self.times()
            again = data_of(self.catalog.types[first.type], self.draw, self.place)
            self.send_fact(first.but(id=self.fresh_id(), time=time, arrival=arrival, data=again))

    def register(self, old: Sent | None = None) -> None:
        draw = self.draw
        name = draw.choice([JOINED, JOINED, JOINED, LEFT, REGISTERED])
        if old is not None:
            name = draw.choice([JOINED, LEFT]) if old.subject.startswith("person") else REGISTERED
        source = self.source_for(name) or draw.choice(sorted(self.catalog.sources))
        time, arrival = self.times()
        if self.chance(0.1):
            time -= draw.randint(1, 400) * DAY
        subject = self.person()
        if name == REGISTERED:
            subject = f"household/{draw.choice(self.households)}"
        identity = self.known.registry[-1].id if self.known.registry and self.chance(0.1) else self.fresh_id()
        sent = Sent(source, identity, name, subject, time, arrival, self.registry_data(name))
        if old is None and self.known.registry and self.chance(0.08):
            old = draw.choice(self.known.registry)
            if (old.type == REGISTERED) != (name == REGISTERED):
                old = None
        if old is not None:  # equal (time, source, id), other content
            same_time = old.time if self.chance(0.8) else time
            sent = sent.but(source=old.source, id=old.id, subject=old.subject, time=same_time)
            sent = sent.but(arrival=max(arrival, same_time - DAY))
        if self.chance(0.05) and self.known.facts:
            sent = sent.but(supersedes=draw.choice(self.known.facts + self.known.registry).id)
        self.known.registry.append(sent)
        self.known.times.append(sent.time)
        self.lines.write(sent)

    def registry_data(self, name: str) -> Pairs:
        draw = self.draw
        if name == LEFT:
            return [("reason", draw.choice(["moved", "died", "other"]))]
        if name == REGISTERED:
            data: Pairs = [("community", draw.choice(["420106001001", "000000000000", "420106001002"]))]
            if self.chance(0.3):
                data.append(("address_ref", draw.choice(["A-1", "", "x" * 200, None])))
            return data
        data = [("household", draw.choice(self.households)), ("role", draw.choice(ROLES))]
        if self.chance(0.7):
            data.append(("birth", self.birth()))
        if self.chance(0.7):
            data.append(("sex", draw.choice(["female", "male", None])))
        return data

    def birth(self) -> Writable:
        draw = self.draw
        today = local_day(self.policy.zone, self.now)
        if self.chance(0.15):
            return draw.choice(["2004-02-29", "0001-01-01", "9999-12-31", "1900-02-28", "1960-02-29", None])
        near = dt.date.fromordinal(today + EPOCH + draw.randint(-2, 30))
        years = draw.choice([0, 0, 1, 5, 18, 18, 60, 60, 80])
        if self.chance(0.3):
            return format_date(today - draw.randint(0, 25_000))
        text = f"{near.year - years:04d}-{near.month:02d}-{near.day:02d}"
        return (
            text if re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])", text) else "1999-02-28"
        )
