"""The books after a fault: what a single pass of the pure steps over the log says, against what there is.

Each stage's log as it stands on the broker is folded once, from its first record to its last, with no engine,
no ledger and no fault. From that follow every record that the stage must have sent, every state, every
position. What there is may hold repeats; a repeat has the bytes of the first, and first occurrences are in
order, without a gap.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from agents.app import STAGES, StageName
from rules import household, person
from rules.backtest import Backtest
from rules.compile import compile_policy
from rules.history import History, Logged
from streams.deadletters import INTERNAL_ERROR, read_dead_letter
from streams.envelope import Decoder
from streams.errors import DecodeError
from streams.partitions import partition_of
from streams.records import (
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    WARNINGS,
    About,
    Activate,
    Origin,
    PersonRecord,
    Tick,
    decode_household_record,
    decode_person_record,
    encode,
)
from tests.faults.single_pass import SinglePass
from tests.faults.site import CATALOG, POLICY, Site

Number = tuple[int, int]
Sent = dict[tuple[str, int], dict[Number, bytes]]
"""By channel and partition of the destination: number -> value, in order."""


def once(pairs: Iterable[tuple[Any, bytes]], what: str) -> dict[Any, bytes]:
    """First occurrences, in their order; a repeat must have the same bytes."""
    seen: dict[Any, bytes] = {}
    for key, value in pairs:
        assert seen.setdefault(key, value) == value, f"{what}: {key} was sent twice with different bytes"
    return seen


def same(found: Mapping[Any, bytes], expected: Mapping[Any, bytes], what: str) -> None:
    """The same keys in the same order, with the same bytes."""
    lost, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    assert not lost, f"{what}: {len(lost)} lost, such as {min(lost)}"
    assert not extra, f"{what}: {len(extra)} that no pass gives, such as {min(extra)}"
    assert list(found) == list(expected), f"{what}: first occurrences are not in order"
    wrong = [key for key in expected if found[key] != expected[key]]
    assert not wrong, f"{what}: other bytes, such as those of {wrong[0]}"


class Audit:
    """Everything that a site's topics and ledger hold, at rest.

    Attributes:
        log: topic -> partition -> records.
        repeats: how many records were sent more than once, by topic.
        warnings: household -> bodies, each once.
        set_aside: origins of what the program failed on, by the stage that did.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.log: dict[str, list[list[Any]]] = {}
        self.repeats: Counter[str] = Counter()
        self.warnings: dict[str, list[bytes]] = {}
        self.expected_states: dict[str, dict[str, bytes]] = {"person": {}, "household": {}}
        self.set_aside: dict[StageName, set[tuple[str, int, int]]] = {stage: set() for stage in STAGES}
        self.rules = compile_policy(POLICY, CATALOG)

    async def run(self) -> Audit:
        """Compare all of it; the first difference fails."""
        await self._read()
        self._intake()
        self._persons()
        await self._households()
        return self

    async def _read(self) -> None:
        rig = self.site.rig
        for topic, count in rig.partitions.items():
            self.log[topic] = [[] for _ in range(count)]
            for record in await rig.read(topic):
                self.log[topic][record.partition].append(record)
        for record in self.log[DEADLETTERS][0]:
            letter = read_dead_letter(
                partition=0,
                offset=record.offset,
                timestamp_ms=0,
                key=None,
                value=None,
                headers=record.headers,
            )
            if letter.reason == INTERNAL_ERROR and letter.origin is not None:
                self.set_aside[self._failed(letter.origin)].add(letter.origin)

    def _failed(self, origin: tuple[str, int, int]) -> StageName:
        """The stage that failed: none after it has anything of the event."""
        at = Origin(*origin)
        if at in self._passed_on(HOUSEHOLD_FACTS, decode_household_record):
            return "household"
        return "person" if at in self._passed_on(PERSON_EVENTS, decode_person_record) else "intake"

    def _passed_on(self, topic: str, decode: Callable[[bytes], Any]) -> set[Origin]:
        messages = (decode(record.value) for records in self.log[topic] for record in records)
        return {message.origin for message in messages if hasattr(message, "origin")}

    # -- intake: every record of a department is passed on once, or rejected once ----------------------
    def _intake(self) -> None:
        decoder = Decoder(CATALOG)
        found: Sent = defaultdict(dict)
        for topic, decode in (
            (PERSON_EVENTS, decode_person_record),
            (HOUSEHOLD_FACTS, decode_household_record),
        ):
            for number, records in enumerate(self.log[topic]):
                pairs = defaultdict(list)
                for record in records:
                    message = decode(record.value)
                    if isinstance(message, PersonRecord | About):
                        at = message.origin
                        pairs[f"{at.topic}-{at.partition} to {topic}"].append(((at.offset, 0), record.value))
                for channel, several in pairs.items():
                    found[channel, number] = self._once(topic, several, channel)
        expected: Sent = defaultdict(dict)
        rejected: dict[tuple[str, int, int], bytes] = {}
        for topic in (topic for topic in self.log if topic.startswith("life.")):
            for number, records in enumerate(self.log[topic]):
                for record in records:
                    try:
                        event = decoder.record(topic, record.value, record.headers, record.timestamp)
                    except DecodeError as error:
                        rejected[topic, number, record.offset] = error.reason.encode()
                        continue
                    origin = Origin(topic, number, record.offset)
                    if (topic, number, record.offset) in self.set_aside["intake"]:
                        continue
                    if event.about_person:
                        to, message = PERSON_EVENTS, encode(PersonRecord(event, origin))
                    else:
                        about = About(event.subject, f"{topic}-{number}", (record.offset, 0), origin, event)
                        to, message = HOUSEHOLD_FACTS, encode(about)
                    partition = partition_of(event.subject.encode(), len(self.log[to]))
                    expected[f"{topic}-{number} to {to}", partition][record.offset, 0] = message
        self._sent(found, expected)
        letters = [
            read_dead_letter(
                partition=0,
                offset=record.offset,
                timestamp_ms=0,
                key=None,
                value=None,
                headers=record.headers,
            )
            for record in self.log[DEADLETTERS][0]
        ]
        pairs_ = [(letter.origin, letter.reason.encode()) for letter in letters]
        told = once(
            ((origin, reason) for origin, reason in pairs_ if reason != b"internal-error"), DEADLETTERS
        )
        assert told == rejected

    # -- person: a pass over person.events ---------------------------------------------------------------
    def _persons(self) -> None:
        expected: Sent = defaultdict(dict)
        count = len(self.log[HOUSEHOLD_FACTS])
        known = self.expected_states["person"]
        for number, records in enumerate(self.log[PERSON_EVENTS]):
            channel = f"{PERSON_EVENTS}-{number}"
            for record in records:
                read = decode_person_record(record.value)
                at = read.origin
                if (at.topic, at.partition, at.offset) in self.set_aside["person"]:
                    continue
                raw = known.get(read.event.subject)
                before = None if raw is None else person.decode(raw)
                after, messages = person.step(before, read, channel=channel, offset=record.offset)
                if after is not None:
                    known[read.event.subject] = person.encode(after)
                for message in messages:
                    to = partition_of(message.household.encode(), count)
                    expected[channel, to][message.number] = encode(message)
        self._sent(self._channels(PERSON_EVENTS), expected)

    # -- household: a pass over household.facts ------------------------------------------------------------
    async def _households(self) -> None:
        ledger, rig = await self.site.rig.ledger(), self.site.rig
        count = len(self.log[HOUSEHOLD_FACTS])
        expected: Sent = defaultdict(dict)
        warnings: dict[str, dict[str, bytes]] = defaultdict(dict)
        for number in range(count):
            home = SinglePass(self, number)
            home.fold()
            for transfer in home.transfers:
                to = partition_of(transfer.household.encode(), count)
                expected[f"{HOUSEHOLD_FACTS}-{number}", to][transfer.number] = encode(transfer)
            for warning in home.warnings:
                warnings[warning.household][warning.id] = warning.body
            where = (rig.prefix + HOUSEHOLD_FACTS, number)
            place = (await ledger.positions("household", [where]))[where]
            end = self.log[HOUSEHOLD_FACTS][number][-1].offset + 1 if self.log[HOUSEHOLD_FACTS][number] else 0
            if place is None:
                assert end == 0
                continue
            assert (place.next_offset, place.day) == (end, home.day)
            live = {key: state async for key, state in ledger.scan("household", *where)}
            same(self._caught_up(live, home.day), home.final(), f"states of {HOUSEHOLD_FACTS}-{number}")
            self.expected_states["household"] |= home.final()
            keys = ledger.keys("household", *where)
            marks = await ledger.link.call("HGETALL", keys[2])
            told = {name.decode(): value for name, value in marks.items()}
            assert told == {name: b"%d %d" % mark for name, mark in home.marks.items()}
            counts = await ledger.link.call("HGETALL", keys[4])
            levels = {name.decode(): int(n) for name, n in counts.items()}
            assert {name: n for name, n in levels.items() if n} == home.levels()
        self._sent(self._channels(HOUSEHOLD_FACTS), expected)
        found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for record in (record for records in self.log[WARNINGS] for record in records):
            id = record.key.decode()
            found[id].append((_id_of(record.value), record.value))
        for id, several in found.items():
            same(self._once(WARNINGS, several, id), warnings[id], f"warnings of {id}")
            assert _read_once(several) == list(warnings[id].values()), f"{id}: a reader with the last id"
            self.warnings[id] = list(warnings[id].values())
        assert warnings.keys() <= found.keys(), "warnings that never reached their topic"
        for stage, topic in (("person", PERSON_EVENTS),):
            states: dict[str, bytes] = {}
            for number, records in enumerate(self.log[topic]):
                where = (rig.prefix + topic, number)
                place = (await ledger.positions(stage, [where]))[where]
                assert (place.next_offset if place else 0) == (records[-1].offset + 1 if records else 0)
                states |= {key: state async for key, state in ledger.scan(stage, *where)}
            expected_persons = self.expected_states[stage]
            same(dict(sorted(states.items())), dict(sorted(expected_persons.items())), "states of persons")

    def _caught_up(self, live: Mapping[str, bytes], day: int | None) -> dict[str, bytes]:
        """States of the ledger at the day of their partition; whoever was due has ticked already."""
        out = {}
        for id, raw in sorted(live.items()):
            state = household.decode(raw)
            if day is not None:
                state, effects = household.catch_up(state, rules=self.rules, day=day)
                assert not effects, f"{id}: was due and did not tick"
            out[id] = household.encode(state)
        return out

    def circle(self) -> int:
        """Give every household's own log to a backtest, which must raise the same warnings.

        Returns:
            How many warnings were compared; households whose log brings facts from days ahead are left out.
        """
        count = 0
        for id, warnings in self.warnings.items():
            history = self.history(id)
            backtest = Backtest(CATALOG, POLICY, self.rules)
            for at, line in enumerate(history.lines(self._logged(id)), start=1):
                rejected = backtest.feed(at, line)
                assert rejected is None, (rejected, line)
            if history.ahead:
                continue
            backtest.finish()
            assert [one.body for one in backtest.warnings if one.household == id] == warnings, id
            count += len(warnings)
        return count

    def exported(self, id: str) -> list[bytes]:
        """A household's log as lines of events."""
        return list(self.history(id).lines(self._logged(id)))

    def history(self, id: str) -> History:
        """What reads a household's log."""
        return History(id, CATALOG, self.rules.calendar, set_aside=self.set_aside["household"])

    def _logged(self, id: str) -> Iterator[Logged]:
        log = self.log[HOUSEHOLD_FACTS]
        for record in log[partition_of(id.encode(), len(log))]:
            stamp = record.timestamp * 1000 if self.site.clock == "wall" else None
            yield stamp, decode_household_record(record.value)

    # -- what both have in common --------------------------------------------------------------------------
    def _channels(self, topic: str) -> Sent:
        """What ``household.facts`` has from the partitions of a topic."""
        pairs: dict[tuple[str, int], list[tuple[Number, bytes]]] = defaultdict(list)
        for number, records in enumerate(self.log[HOUSEHOLD_FACTS]):
            for record in records:
                message = decode_household_record(record.value)
                if isinstance(message, Tick | Activate) or not message.channel.startswith(topic):
                    continue
                pairs[message.channel, number].append((message.number, record.value))
        return {at: self._once(HOUSEHOLD_FACTS, several, at[0]) for at, several in pairs.items()}

    def _once(self, topic: str, pairs: list[tuple[Any, bytes]], what: str) -> dict[Any, bytes]:
        first = once(pairs, what)
        self.repeats[topic] += len(pairs) - len(first)
        return first

    @staticmethod
    def _sent(found: Sent, expected: Sent) -> None:
        for at in found.keys() | expected.keys():
            same(found.get(at, {}), expected.get(at, {}), f"{at[0]}, partition {at[1]}")


def _read_once(several: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """What a reader takes of a household's warnings who keeps the last id: its number has to be greater."""
    last, out = 0, []
    for id, body in several:
        number = int(id.rpartition("-")[2])
        if number > last:
            last = number
            out.append(body)
    return out


def _id_of(body: bytes) -> str:
    return str(json.loads(body)["id"])


async def audited(site: Site) -> Audit:
    """Wait for rest, and compare everything."""
    await site.at_rest()
    return await Audit(site).run()
