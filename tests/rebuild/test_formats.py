"""States and snapshots have a version: what a newer program wrote is refused, and not guessed at."""

from __future__ import annotations

import msgspec
import pytest

from agents.lanes import Part
from agents.person import PersonStage
from agents.rebuild.snapshot_reader import Kept, read_snapshots
from rules import household, person
from rules.compile import compile_policy
from rules.state_format import FORMAT, StateFormatError
from streams.errors import LedgerError
from streams.events import Event
from streams.records import Cause, Member, Origin, PersonRecord, Update, encode
from streams.snapshots import FORMAT as SNAPSHOT_FORMAT
from streams.snapshots import LaneSnapshot, StateSnapshot, decode_lane, decode_state, lane_key, state_key
from streams.snapshots import encode as encode_snapshot
from tests.agents.desk import Raw, lane_of, small_catalog, small_policy

PERSON = person.Person((1, "s", "e"), "H-1", "head", 2, "1990-01-01", (1, "s", "e"))


def a_household() -> household.Household:
    catalog = small_catalog()
    rules = compile_policy(small_policy(catalog), catalog)
    home = household.new("~p1")
    origin = Origin("life.health", 0, 0)
    member = Member("other", "1990-01-01", "female")
    cause = Cause("/s", "e", "person/p1", 1_700_000_000_000_000)
    for message in (
        Update("~p1", "person.events-0", (0, 0), origin, "p1", 0, cause, member),
        Update("~p1", "person.events-0", (1, 0), origin, "p2", 1, cause, member),
    ):
        household.step(home, message, rules=rules, day=19_675)
    return home


@pytest.mark.parametrize("decode", [household.decode, person.decode])
def test_a_state_of_a_newer_format_is_refused(decode: object) -> None:
    for raw in (bytes([FORMAT + 1]) + household.encode(a_household()), bytes([9])):
        with pytest.raises(StateFormatError, match=r"format \d.*this program knows 1.*newer"):
            decode(raw)  # type: ignore[operator]


def test_a_state_that_is_none_is_refused_too() -> None:
    for raw in (b"", b"\xc1", household.encode(a_household())[:-3]):
        with pytest.raises(StateFormatError, match="damaged"):
            household.decode(raw)


def test_format_1_looks_as_it_did() -> None:
    """If it does not: raise ``rules.state_format.FORMAT`` and read both."""
    assert person.encode(PERSON).hex() == (
        "99"  # nine fields
        "9301a173a165"  # key
        "a3482d31a468656164"  # where, role
        "02aa313939302d30312d3031"  # n, birth
        "9301a173a165"  # birth_key
        "c0c0"  # sex, sex_key
        "90"  # seen
    )
    raw = household.encode(a_household())
    fields = msgspec.msgpack.decode(raw)
    # Names, in their order: one more, or another order, is another format.
    assert household.Household.__struct_fields__ == (
        "id", "day", "level", "score", "warned", "community", "registered", "own", "residents", "waiting",
        "points", "shared_day", "fall_day", "next_day", "digest", "activation",
    )  # fmt: skip
    assert len(fields) == 16
    assert fields[:5] == ["~p1", 19_675, 0, 0, 0]
    assert raw[0] == 0xDC  # an array of more than fifteen
    assert household.encode(household.decode(raw)) == raw


def test_a_stage_stops_its_partition_at_a_state_of_a_newer_format() -> None:
    lane = lane_of("person", "person.events")
    lane.states["p1"] = b"\x02"
    event = Event("t", "/s", "e", "p1", 1, 1, {})
    record = Raw(0, encode(PersonRecord(event, Origin("life.health", 0, 0))), b"p1")
    stage, part = PersonStage(), Part(1)
    read, _ = stage.read(lane, part, [record])
    with pytest.raises(LedgerError, match="newer program"):
        stage.decide(lane, part, read)


def test_a_snapshot_of_a_newer_format_is_refused() -> None:
    newer = msgspec.msgpack.encode([SNAPSHOT_FORMAT + 1, "something", "else"])
    for decode in (decode_state, decode_lane):
        with pytest.raises(LedgerError, match="a newer one wrote it"):
            decode(newer)
        with pytest.raises(LedgerError, match="something else"):
            decode(b"\xc1")


class _Topic:
    """A log that holds these records in one partition."""

    def __init__(self, records: list[Raw]) -> None:
        self.records = records

    async def count(self, topic: str) -> int:
        return 1

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        return 0, len(self.records)

    async def read(self, topic: str, partition: int, start: int, end: int):  # type: ignore[no-untyped-def]
        yield self.records, end


async def kept(*records: tuple[str, int, int, bytes | None]) -> Kept:
    """What a topic of (key, epoch, offset, state) has; the key ``@`` is the partition's own."""
    out = []
    for at, (key, epoch, offset, state) in enumerate(records):
        if key == "@":
            value = encode_snapshot(LaneSnapshot(1, epoch, offset, {}, {}, {}, 0.0))
            out.append(Raw(at, value, lane_key("t", 0)))
        else:
            out.append(Raw(at, encode_snapshot(StateSnapshot(1, epoch, offset, state)), state_key(key)))
    return await read_snapshots(_Topic(out), "household", 0)  # type: ignore[arg-type]


async def test_a_state_that_came_late_does_not_hide_a_later_one() -> None:
    found = await kept(("H", 2, 100, b"new"), ("@", 2, 90, None), ("H", 1, 50, b"old"))
    assert found.states == {"H": (100, b"new")}
    assert found.late == set()


async def test_a_state_that_came_late_and_stands_alone_is_told() -> None:
    """Compaction has taken the later one away."""
    found = await kept(("@", 2, 90, None), ("H", 1, 50, b"old"))
    assert found.late == {"H"}
    healed = await kept(("@", 2, 90, None), ("H", 1, 50, b"old"), ("H", 2, 120, b"newest"))
    assert healed.late == set()
    assert healed.states == {"H": (120, b"newest")}


async def test_a_late_snapshot_of_the_partition_takes_nothing_back() -> None:
    found = await kept(("@", 1, 60, None), ("@", 2, 90, None), ("@", 1, 70, None))
    assert found.lanes[lane_key("t", 0)].offset == 90


async def test_an_emptied_key_is_kept_as_empty_with_its_offset() -> None:
    found = await kept(("H", 1, 5, b"x"), ("H", 1, 8, None), ("@", 1, 6, None))
    assert found.states == {"H": (8, None)}
