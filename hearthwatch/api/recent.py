"""The latest warnings, kept in memory: what ``GET /v1/warnings`` shows."""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hearthwatch.api.followed import FollowedTopic
from streams.records import WARNINGS
from streams.warnings_topic import Repeats, WarningRecord, read_warning

#: Some KB each; far more than any list of the latest shows.
MOST_KEPT: Final = 20_000

Place = tuple[int, int, int]
"""Where a warning stands: the broker's time in ms, partition, offset; the same for every reader."""


@dataclass(frozen=True, slots=True)
class Recent:
    """One warning and its place."""

    place: Place
    warning: WarningRecord

    @property
    def community(self) -> str | None:
        """Where the household lives, as the warning says."""
        found = self.warning.message["data"].get("community")
        return found if isinstance(found, str) else None


class RecentWarnings(FollowedTopic):
    """Follows the topic ``warnings`` and keeps the latest, in the order of the brokers' time.

    Args:
        kafka: arguments of aiokafka's clients.
        most: how many are kept.
    """

    def __init__(self, kafka: Mapping[str, Any], *, most: int = MOST_KEPT) -> None:
        super().__init__(kafka, WARNINGS, latest=most)
        self._most = most
        self._kept: list[Recent] = []
        self._repeats = Repeats()

    def newest_first(self, before: Place | None = None) -> Iterator[Recent]:
        """What is kept, the latest first, from a place on."""
        end = len(self._kept)
        if before is not None:
            end = bisect.bisect_left(self._kept, before, key=_place)
        for index in range(end - 1, -1, -1):
            yield self._kept[index]

    def read(self, record: Any) -> None:
        """See :class:`FollowedTopic`."""
        self.take((record.timestamp, record.partition, record.offset), record.value)

    def take(self, place: Place, value: bytes | None) -> None:
        """Keep a record's warning, unless it repeats one."""
        warning = read_warning(value, time.time())
        if warning is None or not self._repeats.is_new(warning.household, warning.number):
            return
        bisect.insort(self._kept, Recent(place, warning), key=_place)
        if len(self._kept) > self._most:
            del self._kept[: len(self._kept) - self._most]


def _place(recent: Recent) -> Place:
    return recent.place


def place_text(place: Place) -> str:
    """A place as a cursor."""
    return "-".join(map(str, place))


def place_of(text: str) -> Place | None:
    """A cursor as a place; None where it is none."""
    parts = text.split("-")
    if len(parts) != 3 or not all(one.isascii() and one.isdecimal() and len(one) < 20 for one in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])
