"""What the commits of a household partition remember of policy activations: marks beside the others.

``activation/<n>`` is (day, received) of each activation that the partition has taken, ``activation`` the
number up to which every household was visited. A rebuild has them with the other marks; without any, it is
number 1.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rules.state import is_under
from rules.takeover import Takeover

#: The mark of the number up to which all was done; intake's partitions have only this.
MARK: Final = "activation"
FIRST: Final = 1

#: Households that are evaluated anew between two parts of the log: 100 x some 200 us is 20 ms.
SWEEP_CHUNK: Final = 100
#: States that are looked at for these: the others were taken over before their own records.
LOOK: Final = 2_000

Marks = Mapping[str, tuple[int, int]]


@dataclass(slots=True)
class Course:
    """The activations that one partition has taken, in order.

    Attributes:
        swept: every household is under this number or a greater one.
    """

    takeovers: list[Takeover] = field(default_factory=list)
    swept: int = FIRST

    @property
    def number(self) -> int:
        """The activation that holds."""
        return self.takeovers[-1].number if self.takeovers else FIRST

    def take(self, takeover: Takeover) -> tuple[str, tuple[int, int]]:
        """Take the next one; its mark."""
        self.takeovers.append(takeover)
        return f"{MARK}/{takeover.number}", (takeover.day, takeover.received)


def course_of(marks: Marks) -> Course:
    """What marks say."""
    found = [
        Takeover(int(name.removeprefix(MARK + "/")), *value)
        for name, value in marks.items()
        if name.startswith(MARK + "/")
    ]
    return Course(sorted(found, key=lambda one: one.number), marks.get(MARK, (FIRST, 0))[0])


class Sweep:
    """One visit to every household of a partition that is not under an activation yet; may begin anew."""

    def __init__(self, number: int, states: AsyncIterator[tuple[str, bytes]]) -> None:
        self.number = number
        self.is_done = False
        self._states = states

    async def keys(self) -> list[str]:
        """The next few households to visit; maybe none, and none once it is done."""
        keys: list[str] = []
        for _ in range(LOOK):
            try:
                key, state = await anext(self._states)
            except StopAsyncIteration:
                self.is_done = True
                break
            if not is_under(state, self.number):
                keys.append(key)
                if len(keys) == SWEEP_CHUNK:
                    break
        return keys
