"""What a row of decisions on one state need not look through again each time: tens of thousands may wait.

A decision takes what it ends out of a group, a digest or a message by its case, and notes that; only
:meth:`Lines.settle` takes it out of the list. When a group is due is kept up while alerts come; once some
have gone it is due then or later, which is worked out when it could be due, and when all is settled. Nothing
of this is written down, and a settled state is the same whether each decision was settled or only the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from casework.alerts.alert import Alert
from casework.alerts.instants import NEVER
from casework.alerts.routes import Routes, Timing

if TYPE_CHECKING:  # it imports this module
    from casework.alerts.state import Digest, Group, Message, Told, Waiting

Item = TypeVar("Item", "Waiting", "Told", Alert)


class Line(Generic[Item]):
    """The items of a list by case, without those that were taken out and still stand in the list.

    Args:
        case_of: the case of an item.
    """

    def __init__(self, items: Iterable[Item], case_of: Callable[[Item], str]) -> None:
        self._by_case: dict[str, list[Item]] = {}
        self._gone: set[int] = set()
        self._case_of: Callable[[Item], str] = case_of
        for item in items:
            self._by_case.setdefault(case_of(item), []).append(item)

    def __bool__(self) -> bool:
        return bool(self._by_case)

    def add(self, item: Item) -> None:
        """An item was appended to the list."""
        self._by_case.setdefault(self._case_of(item), []).append(item)

    def of(self, case: str) -> list[Item]:
        """The items of a case, in the order of the list."""
        return self._by_case.get(case, [])

    def take(self, case: str, is_meant: Callable[[Item], bool]) -> list[Item]:
        """Take items of a case out; in the order of the list."""
        found = self.of(case)
        taken = [one for one in found if is_meant(one)]
        if taken:
            rest = [one for one in found if not is_meant(one)]
            if rest:
                self._by_case[case] = rest
            else:
                del self._by_case[case]
            self._gone.update(map(id, taken))  # the list still holds them, so nothing else has these ids
        return taken

    def rest(self, items: list[Item]) -> list[Item]:
        """The list without what was taken out of it."""
        if not self._gone:
            return items
        items = [one for one in items if id(one) not in self._gone]
        self._gone.clear()
        return items


class Lines:
    """The lines of one state while decisions are made on it, each made when it is first asked for."""

    def __init__(self) -> None:
        self._routes: Routes | None = None
        self._waiting: dict[str, Line[Waiting]] = {}
        self._told: dict[str, Line[Told]] = {}
        self._digests: dict[str, tuple[Digest, Line[Alert]]] = {}
        self._messages: dict[str, tuple[Message, Line[Alert]]] = {}
        # Groups whose due was worked out here by these routes; and those of them that may be due later.
        self._known: set[str] = set()
        self._loose: dict[str, Group] = {}

    def follow(self, routes: Routes) -> None:
        """Go by these routes from here on; when something is due stays as those before had it."""
        if routes is not self._routes:
            self.settle()
            self._known.clear()
            self._routes = routes

    # -- groups ----------------------------------------------------------------------------------------
    def waits(self, group: Group, one: Waiting) -> bool:
        """An alert was appended to a group; whether it is known when the group is due."""
        line = self._waiting.get(group.key)
        if line is not None:
            line.add(one)
        if group.key not in self._known or self._routes is None:
            return False
        first = group.waiting[0].since
        together = _together(group, first, self._timing(group))
        is_urgent = self._routes.is_urgent(one.alert.level)
        group.due = min(group.due, one.until if is_urgent else max(one.until, together))
        return True

    def was_told(self, group: Group, one: Told) -> bool:
        """An alert that was told was appended to a group; whether it is known when the group is due."""
        line = self._told.get(group.key)
        if line is not None:
            line.add(one)
        if group.key not in self._known:
            return False
        group.due = min(group.due, one.next)
        return True

    def take_waiting(self, group: Group, case: str, is_meant: Callable[[Alert], bool]) -> list[Alert]:
        """Take alerts of a case that wait out of a group."""
        line = self._waiting.get(group.key)
        if line is None:
            line = self._waiting[group.key] = Line(group.waiting, lambda one: one.alert.case)
        return [one.alert for one in line.take(case, lambda one: is_meant(one.alert))]

    def take_told(self, group: Group, case: str, is_meant: Callable[[Alert], bool]) -> bool:
        """Take alerts of a case that are told again out of a group; whether there were any."""
        line = self._told.get(group.key)
        if line is None:
            line = self._told[group.key] = Line(group.told, lambda one: one.alert.case)
        return bool(line.take(case, lambda one: is_meant(one.alert)))

    def loosen(self, group: Group) -> bool:
        """Some of a group has gone; whether it is known when it is due at the earliest."""
        self._loose[group.key] = group
        return group.key in self._known

    def tighten(self, group: Group) -> None:
        """Take out of a group what has gone, and work out when it is due."""
        assert self._routes is not None, "routes are followed"
        self._tidy(group)
        group.due = group_due(self._routes, group, self._timing(group))
        self._known.add(group.key)

    def tighten_due(self, now: int) -> None:
        """The same of groups that may be due by now."""
        for group in [one for one in self._loose.values() if one.due <= now]:
            self.tighten(group)

    def forget(self, group: Group) -> None:
        """The lists of a group, tidied before, are others now."""
        self._waiting.pop(group.key, None)
        self._told.pop(group.key, None)

    def _tidy(self, group: Group) -> None:
        self._loose.pop(group.key, None)
        waiting, told = self._waiting.get(group.key), self._told.get(group.key)
        if waiting is not None:
            group.waiting = waiting.rest(group.waiting)
        if told is not None:
            group.told = told.rest(group.told)

    def _timing(self, group: Group) -> Timing:
        routes = self._routes
        assert routes is not None, "routes are followed"
        return (routes.teams.get(group.team) or routes.teams[routes.desk]).timing

    # -- digests and messages --------------------------------------------------------------------------
    def of_digest(self, digest: Digest) -> Line[Alert]:
        """The line of a digest; :meth:`tidied` before its alerts are looked at or changed otherwise."""
        found = self._digests.get(digest.key)
        if found is None or found[0] is not digest:
            found = self._digests[digest.key] = digest, Line(digest.alerts, lambda one: one.case)
        return found[1]

    def of_message(self, message: Message) -> Line[Alert]:
        """The line of a message; as :meth:`of_digest`."""
        found = self._messages.get(message.id)
        if found is None or found[0] is not message:
            found = self._messages[message.id] = message, Line(message.alerts, lambda one: one.case)
        return found[1]

    def tidy_digest(self, digest: Digest) -> None:
        """Take out of a digest what has gone; its alerts may be changed now."""
        found = self._digests.pop(digest.key, None)
        if found is not None and found[0] is digest:
            digest.alerts = found[1].rest(digest.alerts)

    def tidy_message(self, message: Message) -> None:
        """Take out of a message what has gone; its alerts may be changed now."""
        found = self._messages.pop(message.id, None)
        if found is not None and found[0] is message:
            message.alerts = found[1].rest(message.alerts)

    def settle(self) -> None:
        """Leave nothing undone."""
        for group in list(self._loose.values()):
            self.tighten(group)
        for digest, line in self._digests.values():
            digest.alerts = line.rest(digest.alerts)
        for message, line in self._messages.values():
            message.alerts = line.rest(message.alerts)


def group_due(routes: Routes, group: Group, timing: Timing) -> int:
    """When a group has something to tell, or to tell again."""
    due = min((told.next for told in group.told), default=NEVER)
    if group.waiting:
        together = _together(
            group, group.waiting[0].since, timing
        )  # they stand in the order in which they came
        soonest: dict[str, int] = {}
        for one in group.waiting:
            level = one.alert.level
            if level not in soonest or one.until < soonest[level]:
                soonest[level] = one.until
        for level, until in soonest.items():
            # The highest level waits for nobody; the others wait for each other.
            due = min(due, until if routes.is_urgent(level) else max(until, together))
    return due


def _together(group: Group, first: int, timing: Timing) -> int:
    """Until when what waits of a group waits for each other, the first of it since an instant."""
    return max(first + timing.group_wait, group.last + timing.group_interval if group.last >= 0 else 0)
