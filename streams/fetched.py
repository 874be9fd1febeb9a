"""Records as aiokafka's compiled reader has them, without the object that aiokafka makes of each.

That object has eleven fields, of which a stage looks at five, and making it takes more than half of what
reading a record costs. Topic and partition are those of the slice that a record is in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer.fetcher import FetchResult, PartitionRecords


class PlainRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka carries no types
    """The records of one partition in one answer, each with ``offset``, ``timestamp``, ``key``, ``value`` and
    ``headers``. What is passed over (control records, what lies before the position) and what is refused (a
    wrong checksum) stays aiokafka's to say.
    """

    def __iter__(self) -> Iterator[Any]:
        # Not itself, with a call for each record; going on after a pause takes the same iterator up again.
        return self._records_iterator or iter(())

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


class Fetched(OrderedDict[Any, Any]):
    """What aiokafka's fetcher keeps by partition until it is asked for: answers that have come, or errors."""

    def __setitem__(self, tp: Any, result: Any) -> None:
        if type(result) is FetchResult:
            # The fetcher makes it in the midst of reading an answer, where it cannot be given another.
            result._partition_records.__class__ = PlainRecords  # noqa: SLF001
        super().__setitem__(tp, result)
