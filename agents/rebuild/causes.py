"""What of the sends of cases or dispatch stands on their topics already.

Each record that they send names the record of their log behind it, and a number of its own
(:data:`agents.cases.CAUSE`); from each partition first occurrences come in order. So what is not after the
last one seen was sent. One that is sent again does no harm, it has the same id: so only the latest records
are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from agents.cases import CAUSE
from agents.rebuild.log import Log
from streams.partitions import partition_of
from streams.producer import Sending
from streams.records import ALERT_EVENTS, ALERTS, CASE_EVENTS

Cause = tuple[int, int]
"""An offset, and the number among what came of that record."""

#: So many of the latest records of a partition are looked at, for one of this channel.
LATEST: Final = 20_000
TOPICS: Final = {"cases": (CASE_EVENTS, ALERTS), "dispatch": (ALERT_EVENTS,)}
"""By stage, what it sends of which repeats can be told so."""


def cause_of(headers: Iterable[tuple[str, bytes | None]], channel: str) -> Cause | None:
    """A record's cause, if it comes from this channel (``<topic>/<partition>``)."""
    for name, value in headers:
        if name == CAUSE and value is not None:
            at, _, number = value.decode("utf-8", "replace").rpartition("/")
            at, _, offset = at.rpartition("/")
            if at == channel and offset.isdigit() and number.isdigit():
                return int(offset), int(number)
    return None


class SentBefore:
    """Tells what of a replay's sends is missing; :meth:`look` comes first.

    Args:
        topics: one of :data:`TOPICS`.
        channel: ``<topic>/<partition>`` of the replayed log.
    """

    def __init__(self, log: Log, topics: Sequence[str], channel: str) -> None:
        self._log = log
        self._topics = topics
        self._channel = channel
        self._last: dict[str, list[Cause]] = {}

    async def look(self) -> None:
        """Read the ends of the topics."""
        for topic in self._topics:
            self._last[topic] = [
                await self._latest(topic, number) for number in range(await self._log.count(topic))
            ]

    async def _latest(self, topic: str, partition: int) -> Cause:
        first, end = await self._log.bounds(topic, partition)
        last: Cause = (-1, -1)
        async for records, _ in self._log.read(topic, partition, max(first, end - LATEST), end):
            for record in records:
                cause = cause_of(record.headers, self._channel)
                if cause is not None and cause > last:
                    last = cause
        return last

    def missing(self, sends: Iterable[Sending]) -> list[Sending]:
        """Those that are not there yet, in order."""
        return [one for one in sends if not self._is_sent(one)]

    def _is_sent(self, one: Any) -> bool:
        topic, key, _, headers = one[:4]
        known = self._last.get(topic)
        if not known:
            return False
        cause = cause_of(headers, self._channel)
        return cause is not None and cause <= known[partition_of(key, len(known))]
