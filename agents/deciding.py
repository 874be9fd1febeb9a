"""What a stage is to the loop that runs it (:mod:`agents.stage`), and what that loop tells metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from agents.lanes import Lane, Part

if TYPE_CHECKING:  # it imports this module
    from agents.stage import Engine


class Monitor(Protocol):
    """What the engine tells metrics, per commit and never per record."""

    def committed(self, lane: Lane, part: Part) -> None:
        """A part is through."""

    def refused(self, reason: str) -> None:
        """A claim or a commit was refused."""

    def partitions(self, owned: int, stopped: int) -> None:
        """How many partitions this worker owns and how many of them are stopped."""


class Silent:
    """A monitor that does nothing."""

    def committed(self, lane: Lane, part: Part) -> None:
        """See :class:`Monitor`."""

    def refused(self, reason: str) -> None:
        """See :class:`Monitor`."""

    def partitions(self, owned: int, stopped: int) -> None:
        """See :class:`Monitor`."""


class Stage(ABC):
    """What a stage decides. It does no I/O and knows no partition but the lane that it is given."""

    name: ClassVar[str]
    topics: Sequence[str]
    """What it reads."""
    sends_to: Sequence[str]
    """What it sends to."""
    max_part: ClassVar[int] = 1_000
    """Records in one commit, at most."""

    keeps_states: ClassVar[bool] = True
    """Whether it has states by key; a stage without any only knows how far it is."""

    @abstractmethod
    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Decode records; and the keys whose states :meth:`decide` will look up in ``lane.states``."""

    @abstractmethod
    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Fill a part from what :meth:`read` returned, and move the lane's marks and day on."""

    def due(self, state: bytes) -> int | None:
        """When time alone may change a key next, by its state: what the commit that wrote it had said."""
        return None

    def member(self, state: bytes) -> str | None:
        """A key's member of the stage's index, by its state; None of one that is not on it."""
        return None

    def counted(self, states: Iterable[bytes]) -> dict[str, int]:
        """The bounded counters that belong to these states."""
        return {}

    def anew(self, state: bytes) -> bytes:
        """A state as this program writes it: one of an older program may have come in another form."""
        return state

    def decoded(self, state: bytes) -> Any:
        """A state as it can be compared field by field."""
        return state

    def begin(self, engine: Engine, lane: Lane) -> None:  # noqa: B027 - most stages have none
        """A lane was claimed, or its day has moved: work between batches may be due."""
