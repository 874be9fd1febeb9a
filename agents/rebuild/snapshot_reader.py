"""What the topic of a stage's snapshots has of one partition."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents.rebuild.log import Log
from streams.snapshots import LaneSnapshot, decode_lane, decode_state, snapshot_topic


@dataclass(slots=True)
class Kept:
    """Snapshots of one partition of a stage.

    Attributes:
        states: (own offset, state or None) by key.
        lanes: of partitions, by the record's key.
        late: keys of which only a state is left that arrived from a worker that had lost the partition, so
            that a later one may be missing: nothing here may be relied on for them.
    """

    states: dict[str, tuple[int, bytes | None]] = field(default_factory=dict)
    lanes: dict[bytes, LaneSnapshot] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)


async def read_snapshots(log: Log, stage: str, partition: int) -> Kept:
    """Read one partition of ``hearthwatch.snapshots.<stage>`` from its beginning to its end.

    Raises:
        LedgerError: a newer program wrote it.
        TransportError: Kafka does not answer.
    """
    kept = Kept()
    topic = snapshot_topic(stage)
    if partition >= await log.count(topic):
        return kept
    newest = 0
    async for records, _ in log.read(topic, partition, *await log.bounds(topic, partition)):
        for record in records:
            if record.key is None or record.value is None:
                continue
            if record.key.startswith(b"@"):
                lane = decode_lane(record.value)
                newest = max(newest, lane.epoch)
                before = kept.lanes.get(record.key)
                # One of a worker that had lost the partition already is as true, but older.
                if before is None or lane.offset >= before.offset:
                    kept.lanes[record.key] = lane
                continue
            key = record.key[1:].decode()
            state = decode_state(record.value)
            found = kept.states.get(key)
            if state.epoch < newest:
                if found is None or found[0] < state.offset:
                    kept.late.add(key)
                    kept.states[key] = state.offset, state.state
                continue
            newest = state.epoch
            kept.late.discard(key)
            kept.states[key] = state.offset, state.state
    return kept
