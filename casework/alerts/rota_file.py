"""The part of a routes file about time: rotas, quiet hours, and how alerts are put together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from casework.alerts.rota import SLOTS, WEEKDAYS, WEEKENDS, WORKDAYS, Override, Rota
from casework.alerts.routes import Quiet, Timing
from casework.alerts.spans import read_clock, read_day, read_span
from casework.workdays import Workdays
from streams.timestamps import MINUTE
from streams.yamlfile import Node, suggest

_LONG: Final = {"sat": "Saturday", "sun": "Sunday", "mon": "Monday", "tue": "Tuesday", "wed": "Wednesday",
                "thu": "Thursday", "fri": "Friday"}  # fmt: skip
TIMING: Final = ("group_wait", "group_interval", "repeat_interval", "repeats")


def read_rota(node: Node | None, members: Collection[str]) -> Rota | None:
    """A team's rota; None where it is missing or faulty."""
    if node is None or not node.mapping("rota", ("weeks",), ("starts", "handover", "holidays", "overrides")):
        return None
    starts = read_day(node.get("starts"), "starts")
    handover = read_clock(node.get("handover"), "handover")
    weeks_node, holidays_node, overrides_node = node.get("weeks"), node.get("holidays"), node.get("overrides")
    week_nodes = weeks_node.one_or_many("weeks") or [] if weeks_node is not None else []
    weeks = [_week(item, members) for item in week_nodes]
    holiday_nodes = holidays_node.one_or_many("holidays") or [] if holidays_node is not None else []
    holidays = [read_who(item, members) for item in holiday_nodes]
    override_nodes = overrides_node.sequence("overrides") or [] if overrides_node is not None else []
    overrides = [one for item in override_nodes if (one := _override(item, members)) is not None]
    if len(weeks) > 1 and node.get("starts") is None:
        node.source.fault(node, "rota lacks the key `starts`: the day on which the first of its weeks begins")
    if not weeks:
        return None
    return Rota(tuple(weeks), starts or 0, handover or 0, tuple(holidays), tuple(overrides))


def read_who(node: Node | None, members: Collection[str]) -> tuple[str, ...]:
    """One member or several."""
    found: list[str] = []
    for item in node.one_or_many("who") or [] if node is not None else []:
        name = item.string("a member")
        if name is None:
            continue
        if name not in members:
            item.source.fault(item, f"unknown member `{name}`", suggest(name, members))
        elif name in found:
            item.source.fault(item, f"the member `{name}` stands twice")
        else:
            found.append(name)
    return tuple(found)


def _week(node: Node, members: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """A week: the same members all through, or by slot."""
    if node.kind != "mapping":
        who = read_who(node, members)
        return {WORKDAYS: who, WEEKENDS: who}
    node.mapping("a week", (), SLOTS)
    for day in WEEKDAYS:
        rest = WEEKENDS if day in ("sat", "sun") else WORKDAYS
        if node.get(day) is None and node.get(rest) is None:
            node.source.fault(node, f"the week has nobody on {_LONG[day]}: add `{day}` or `{rest}`")
    return {key.text: read_who(value, members) for key, value in node.items() if key.text in SLOTS}


def _override(node: Node, members: Collection[str]) -> Override | None:
    if not node.mapping("an override", ("from", "who"), ("to",)):
        return None
    first = read_day(node.get("from"), "from")
    to_node = node.get("to")
    last = read_day(to_node, "to") if to_node is not None else first
    who = read_who(node.get("who"), members)
    if first is None or last is None:
        return None
    if last < first and to_node is not None:
        node.source.fault(to_node, "an override must not end before it begins")
        return None
    return Override(first, last, who)


def read_quiet(node: Node | None, levels: tuple[str, ...]) -> Quiet | None:
    """Quiet hours; None where they are missing or faulty.

    Args:
        levels: of the policy, ascending: the last one never waits.
    """
    if node is None or not node.mapping("quiet", ("from", "to", "levels")):
        return None
    begins, ends = read_clock(node.get("from"), "from"), read_clock(node.get("to"), "to")
    if begins is not None and begins == ends:
        node.source.fault(node, "quiet hours must not begin and end at the same time")
    waiting: set[str] = set()
    levels_node = node.get("levels")
    for item in levels_node.one_or_many("levels") or [] if levels_node is not None else []:
        level = item.choice("level", levels)
        if level is not None and level == levels[-1]:
            item.source.fault(item, f"the highest level `{level}` never waits: it has no quiet hours")
        elif level is not None:
            waiting.add(level)
    return Quiet(begins, ends, frozenset(waiting)) if begins is not None and ends is not None else None


def read_timing(node: Node, default: Timing) -> Timing:
    """How a team's alerts are put together, as far as its node says; otherwise the default."""
    repeats_node = node.get("repeats")
    repeats = repeats_node.integer("repeats", least=0, greatest=100) if repeats_node is not None else None
    repeat_node = node.get("repeat_interval")
    return Timing(
        read_span(node.get("group_wait"), "group_wait", default.group_wait, least=0),
        read_span(node.get("group_interval"), "group_interval", default.group_interval),
        read_span(repeat_node, "repeat_interval", default.repeat_interval, least=MINUTE),
        default.repeats if repeats is None else repeats,
    )


def read_calendar(node: Node | None, timezone: str) -> Workdays:
    """China's working days, with holidays and make-up days that the file adds."""
    exceptions: dict[int, bool] = {}
    if node is not None and node.mapping("calendar", (), ("holidays", "workdays")):
        for name, works in (("holidays", False), ("workdays", True)):
            list_node = node.get(name)
            for item in list_node.sequence(name) or [] if list_node is not None else []:
                day = read_day(item, f"a day of {name}")
                if day is not None and exceptions.get(day, works) is not works:
                    item.source.fault(item, f"`{item.text}` is both a holiday and a working day")
                elif day is not None:
                    exceptions[day] = works
    return Workdays(timezone, exceptions=exceptions)
