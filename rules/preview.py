"""What another policy would change, household by household (docs/how-to/change-the-policy.md)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rules.compile import Rules
from rules.household import adopt, catch_up
from rules.state import Household
from rules.warnings import Warning
from streams.catalog import Catalog, Kind, SubjectKind

#: A level by name, or None.
Level = str | None


@dataclass(slots=True)
class Preview:
    """Counts over all households that were looked at.

    Attributes:
        households: how many there are.
        changes: (level before, level after) to the number of households, also of those that stay.
        communities: community to the number of households whose level would change, by (before, after).
        warnings: how many there would be, by type.
        lost: types that only the old catalogue has, to the number of live facts of them.
    """

    households: int = 0
    changes: Counter[tuple[Level, Level]] = field(default_factory=Counter)
    communities: dict[str | None, Counter[tuple[Level, Level]]] = field(default_factory=dict)
    warnings: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """Households whose level would be another."""
        return sum(number for (before, after), number in self.changes.items() if before != after)


def look(
    preview: Preview, state: Household, *, old: Rules, new: Rules, day: int, lost: frozenset[str]
) -> None:
    """Count what would become of one household on a day.

    Args:
        state: under the policy that holds; is used up.
        lost: types that the new catalogue does not have any more.
    """
    if state.day is None:
        return
    catch_up(state, rules=old, day=day)
    if lost:
        for known in (state.own, *(resident.known for resident in state.residents.values())):
            for type in lost.intersection(known.facts):
                preview.lost[type] += len(known.facts[type])
    before = old.policy.levels[state.level - 1].id if state.level else None
    community = state.community
    state.digest = ""
    _, effects = adopt(state, rules=new, day=day, received=0)
    after = new.policy.levels[state.level - 1].id if state.level else None
    preview.households += 1
    preview.changes[before, after] += 1
    if before != after:
        preview.communities.setdefault(community, Counter())[before, after] += 1
    preview.warnings.update(effect.type for effect in effects if isinstance(effect, Warning))


def lost_types(old: Catalog, new: Catalog) -> frozenset[str]:
    """Types that a new catalogue does not have any more."""
    return frozenset(old.events) - frozenset(new.events)


def conflicts(old: Catalog, new: Catalog) -> list[str]:
    """What a new catalogue may not change, because facts are kept as the old one had them."""
    found = []
    for name, was in old.events.items():
        now = new.events.get(name)
        if now is None:
            continue
        if now.subject != was.subject:
            found.append(_conflict(name, "subject", was.subject, now.subject))
        for field_name in was.data.keys() & now.data.keys():
            kinds = was.data[field_name].kind, now.data[field_name].kind
            if _stored(kinds[0]) != _stored(kinds[1]):
                found.append(_conflict(f"{name}.{field_name}", "kind", *kinds))
    return sorted(found)


def _stored(kind: Kind) -> str:
    return "text" if kind == "choice" else kind


def _conflict(what: str, key: str, was: Kind | SubjectKind, now: Kind | SubjectKind) -> str:
    return f"{what}: the {key} was {was} and would be {now}; give the changed one another name"
