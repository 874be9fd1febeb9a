"""The loop of every stage on a real broker and server, shown with a toy stage that counts."""

from __future__ import annotations

from collections import Counter

from tests.agents.rig import Counting, Rig


def made(rig: Rig, partitions: int = 4) -> None:
    rig.topics({"in": partitions, "out": 3, "deadletters": 1})


def counted(records: list) -> dict[str, int]:
    """Key -> the highest count that was sent; fails where a key's counts are not 1, 2, 3 ..."""
    seen: dict[str, list[int]] = {}
    for record in records:
        seen.setdefault(record.key.decode(), []).append(int(record.value.rpartition(b" ")[2]))
    for key, counts in seen.items():
        assert counts == list(range(1, len(counts) + 1)), key
    return {key: counts[-1] for key, counts in seen.items()}


async def test_every_record_is_counted_once_and_sent_in_order(rig: Rig) -> None:
    made(rig)
    keys = [b"k%d" % (n % 50) for n in range(5000)]
    await rig.send("in", [(key, b"v%d" % n) for n, key in enumerate(keys)])
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    assert counted(await rig.read("out")) == {k.decode(): n for k, n in Counter(keys).items()}
