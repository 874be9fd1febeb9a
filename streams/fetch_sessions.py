"""Fetch sessions (KIP-227): a fetch names only the partitions whose offset has changed since the one before.

aiokafka names all partitions in every fetch, and the broker answers with all of them: with 120 partitions
that is 2 ms of encoding and decoding for a single record. In a session both sides remember what was said
before. Kafka has it since 1.1; from an older broker, or one whose memory for sessions is full, every fetch is
a full one, as without this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiokafka.protocol.fetch import FetchRequest

_At = tuple[str, int]
"""Topic and partition."""

_Partitions = dict[_At, tuple[int, int]]
"""Fetch offset and most bytes of each."""

#: The greatest session epoch; after it comes 1.
_LAST_EPOCH: Final = 2**31 - 1
#: What the broker answers when it has no session for us any more, or is not where we are.
_LOST: Final = (70, 71)


class InSession(FetchRequest):  # type: ignore[misc]
    """A fetch that says where in a session it is, where the broker understands that."""

    def __init__(
        self, full: FetchRequest, id: int, epoch: int, changed: _Partitions, forgotten: Sequence[_At]
    ) -> None:
        self.__dict__.update(full.__dict__)
        self.epoch = epoch
        self._id = id
        self._changed = changed
        self._forgotten = forgotten
        self.is_understood = False

    def build(self, request_struct_class: Any) -> Any:
        self.is_understood = request_struct_class.API_VERSION >= 7
        if not self.is_understood:
            return super().build(request_struct_class)
        topics: dict[str, list[tuple[int, int, int]]] = {}
        for (topic, partition), (offset, most) in self._changed.items():
            topics.setdefault(topic, []).append((partition, offset, most))
        self._topics = list(topics.items())
        struct: Any = super().build(request_struct_class)
        struct.session_id, struct.session_epoch = self._id, self.epoch
        forgotten: dict[str, list[int]] = {}
        for topic, partition in self._forgotten:
            forgotten.setdefault(topic, []).append(partition)
        struct.forgotten_topics_data = list(forgotten.items())
        return struct


class FetchSession:
    """The session with one broker. A fetch whose answer did not come leaves it in doubt: it is begun anew."""

    def __init__(self) -> None:
        self.id = 0
        self.epoch = 0
        self._known: _Partitions = {}

    def request(self, full: FetchRequest) -> InSession:
        """What to send instead of a full fetch; :meth:`answered` has to follow, or else the session ends."""
        wanted: _Partitions = {
            (topic, partition): (offset, most)
            for topic, partitions in full.topics
            for partition, offset, most in partitions
        }
        known = self._known
        if self.epoch:
            changed = {at: place for at, place in wanted.items() if known.get(at) != place}
            forgotten = [at for at in known if at not in wanted]
        else:
            changed, forgotten = wanted, []
        request = InSession(full, self.id, self.epoch, changed, forgotten)
        self.epoch, self._known = 0, wanted
        return request

    def answered(self, request: InSession, response: Any) -> bool:
        """Take note of the answer to the latest request.

        Returns:
            False if the broker has lost the session: there is nothing in the answer.
        """
        if not request.is_understood:
            return True
        if response.error_code:
            self.id = 0
            return response.error_code not in _LOST
        self.id = response.session_id
        # No id: the broker keeps no session, and takes every fetch as a full one.
        self.epoch = 0 if not self.id else request.epoch % _LAST_EPOCH + 1
        return True
