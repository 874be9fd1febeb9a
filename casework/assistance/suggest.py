"""Which measures are worth asking about for a family, the likeliest first, and why.

It grants and refuses nothing: it puts in front of a visitor what the causes that staff assessed, and the
indicators behind the warning, speak for. What is in force already, or is not for such a family, is told apart
with its reason, so that nobody has to guess why it is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from casework.assistance.measures import Assistance, Measure
from rules.explain import Explanation, MemberShown
from rules.policy import Policy, Titles
from rules.words import Language

#: What an assessed cause weighs beside the indicators' points: as much as a strong indicator. Own choice.
CAUSE_POINTS: Final = 10


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a household.

    Attributes:
        level: its warning level or, where staff have assessed one, that; None where it has none.
        members: with role, sex and age.
        points: by indicator, over all members; negative ones count, as they say what is in force.
        causes: ids of the causes that staff assessed; empty before.
    """

    level: str | None
    members: tuple[MemberShown, ...] = ()
    points: Mapping[str, int] = field(default_factory=dict)
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a measure is suggested, or why not.

    Attributes:
        kind: ``cause`` (assessed), ``sign`` (an indicator), ``member``; of what is withheld ``in-force``,
            ``level`` or ``no-member``.
        of: the id of that cause, indicator, person or level.
        text: one sentence a language.
    """

    kind: str
    of: str
    text: Titles


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A measure and what speaks for it.

    Attributes:
        rank: :data:`CAUSE_POINTS` for each assessed cause that it answers, and the points of the indicators
            that speak for it: the greater, the earlier it is named.
    """

    measure: Measure
    rank: int
    reasons: tuple[Reason, ...]

    def as_json(self, language: Language) -> dict[str, Any]:
        """The same as plain values, its texts in one language."""
        measure = self.measure
        return {
            "measure": measure.id,
            "title": measure.title[language],
            "gives": measure.gives[language],
            "provider": measure.provider,
            "documents": [one[language] for one in measure.documents],
            "papers_within_days": measure.papers_within_days,
            "basis": measure.basis,
            "rank": self.rank,
            "reasons": [{**asdict(one), "text": one.text[language]} for one in self.reasons],
        }


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What is worth asking about, the likeliest first; and what would be, but for a reason."""

    suggested: tuple[Suggestion, ...]
    withheld: tuple[tuple[Measure, Reason], ...]

    def as_json(self, language: Language) -> dict[str, Any]:
        """The same as plain values, its texts in one language."""
        return {
            "suggested": [one.as_json(language) for one in self.suggested],
            "withheld": [
                {"measure": measure.id, "title": measure.title[language], "kind": why.kind, "of": why.of,
                 "text": why.text[language]}
                for measure, why in self.withheld
            ],
        }  # fmt: skip


def situation(explanation: Explanation, causes: Sequence[str] = ()) -> Situation:
    """A household as it stands, from the explanation of its score."""
    points: dict[str, int] = {}
    for dimension in explanation.dimensions:
        for one in dimension.indicators:
            points[one.indicator] = points.get(one.indicator, 0) + one.points
    return Situation(explanation.level, explanation.members, points, tuple(causes))


def likely_causes(assistance: Assistance, points: Mapping[str, int]) -> list[tuple[str, int]]:
    """Causes that the indicators point to, with their points: the most first, then in the order of the file.

    For staff to start an assessment from; a cause is what they say it is.
    """
    found = [
        (cause.id, sum(max(points.get(sign, 0), 0) for sign in cause.signs))
        for cause in assistance.causes.values()
    ]
    return sorted((pair for pair in found if pair[1]), key=lambda pair: -pair[1])


def suggest(assistance: Assistance, situation: Situation, policy: Policy) -> Suggestions:
    """Rank the measures for a household.

    Once causes are assessed, a measure is suggested that answers one of them; before, one that an indicator
    speaks for. The greatest rank comes first, equals in the order of the file.
    """
    titles = {indicator.id: indicator.title for indicator in policy.indicators}
    levels = {level.id: level.title for level in policy.levels}
    found: list[Suggestion] = []
    withheld: list[tuple[Measure, Reason]] = []
    for measure in assistance.measures.values():
        reasons = _for(measure, situation, assistance, titles)
        if not reasons or (situation.causes and all(one.kind != "cause" for one in reasons)):
            continue
        if measure.needs and not any(situation.points.get(sign, 0) > 0 for sign in measure.needs):
            continue
        fitting = _fitting(measure, situation.members)
        against = _against(measure, situation, titles, levels, fitting)
        if against is not None:
            withheld.append((measure, against))
            continue
        rank = sum(CAUSE_POINTS if one.kind == "cause" else situation.points[one.of] for one in reasons)
        reasons.extend(_member(one) for one in fitting)
        found.append(Suggestion(measure, rank, tuple(reasons)))
    found.sort(key=lambda one: -one.rank)
    return Suggestions(tuple(found), tuple(withheld))


def _for(
    measure: Measure, situation: Situation, assistance: Assistance, titles: Mapping[str, Titles]
) -> list[Reason]:
    reasons = []
    for id in situation.causes:
        if id in measure.causes:
            title = assistance.causes[id].title
            text = {
                "en": f"answers the assessed cause “{title['en']}”",
                "zh": f"对应评估原因「{title['zh']}」",
            }
            reasons.append(Reason("cause", id, text))
    for sign in measure.signs:
        points = situation.points.get(sign, 0)
        if points > 0:
            title = titles[sign]
            text = {
                "en": f"“{title.get('en', sign)}” stands with {points} points",
                "zh": f"「{title.get('zh', sign)}」计{points}分",
            }
            reasons.append(Reason("sign", sign, text))
    return reasons


def _fitting(measure: Measure, members: Collection[MemberShown]) -> list[MemberShown]:
    """The members that a measure is for; none where it does not say."""
    if measure.fits is None:
        return []
    return [one for one in members if measure.fits(one.role, one.sex, one.age)]


def _member(member: MemberShown) -> Reason:
    age = {"en": "of unknown age", "zh": "年龄不详"}
    if member.age is not None:
        age = {"en": f"{member.age} years old", "zh": f"{member.age}岁"}
    text = {"en": f"is for {member.id}, {age['en']}", "zh": f"适用于{member.id}（{age['zh']}）"}
    return Reason("member", member.id, text)


def _against(
    measure: Measure,
    situation: Situation,
    titles: Mapping[str, Titles],
    levels: Mapping[str, Titles],
    fitting: Collection[MemberShown],
) -> Reason | None:
    for sign in measure.unless:
        if situation.points.get(sign):
            title = titles[sign]
            text = {
                "en": f"“{title.get('en', sign)}” stands already",
                "zh": f"已有「{title.get('zh', sign)}」",
            }
            return Reason("in-force", sign, text)
    if measure.levels and situation.level not in measure.levels:
        title = levels.get(situation.level or "", {})
        text = {
            "en": f"is not for the level {title.get('en', 'none')}",
            "zh": f"不适用于当前等级（{title.get('zh', '无')}）",
        }
        return Reason("level", situation.level or "", text)
    if measure.fits is not None and not fitting:
        text = {"en": "no member of the household is of that kind", "zh": "家庭中没有符合条件的成员"}
        return Reason("no-member", "", text)
    return None
