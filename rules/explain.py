"""Why a household has its score: by dimension, indicator, person and fact, as data and in sentences."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from rules.ages import age
from rules.calendar import day_text
from rules.compile import Rules
from rules.known import Fact
from rules.policy import Indicator, Measure, Titles
from rules.score import Score, add_up
from rules.state import Household
from rules.warnings import because
from rules.words import MEMBER_ZH, Language
from streams.catalog import Catalog


@dataclass(frozen=True, slots=True)
class FactShown:
    """One matching fact, in words: its type's title, its day, who sent it, and its fields (money in yuan)."""

    subject: str
    type: str
    title: str
    day: str
    department: str
    source: str
    id: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndicatorShown:
    """One indicator with points; ``measure`` as in a warning message, ``measured`` the same in words."""

    indicator: str
    title: str
    because: str
    tier: str
    person: str | None
    points: int
    measure: int | float | None
    measured: str
    floor: str | None
    floor_title: str
    facts: tuple[FactShown, ...]


@dataclass(frozen=True, slots=True)
class DimensionShown:
    """One dimension: its points after the cap, the cap, and what they come from."""

    dimension: str
    title: str
    points: int
    cap: int
    indicators: tuple[IndicatorShown, ...]


@dataclass(frozen=True, slots=True)
class MemberShown:
    """A member: pseudonymous id, role, age in whole years and sex where known."""

    id: str
    role: str
    age: int | None
    sex: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything behind a household's score on a day."""

    household: str
    community: str | None
    day: str
    members: tuple[MemberShown, ...]
    score: int
    level: str | None
    level_title: str
    dimensions: tuple[DimensionShown, ...]
    warnings: int

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def explain(home: Household, rules: Rules, catalog: Catalog, *, language: Language = "en") -> Explanation:
    """Explain the household's score of its last day (``home.day``)."""
    day = home.day or 0
    score = add_up(home, rules)
    policy = rules.policy
    entries: dict[str, list[IndicatorShown]] = defaultdict(list)
    by_id = {indicator.id: indicator for indicator in policy.indicators}
    facts = _facts_by_name(home)
    for entry in because(home, rules, day):
        indicator = by_id[entry["indicator"]]
        floor = None if indicator.floor is None else policy.levels[indicator.floor]
        shown = tuple(_fact_shown(given, facts, catalog, language) for given in entry["facts"])
        entries[entry["dimension"]].append(
            IndicatorShown(
                indicator=indicator.id,
                title=text(indicator.title, language, indicator.id),
                because=text(indicator.because, language, text(indicator.title, language, indicator.id)),
                tier=indicator.tier,
                person=entry["person"],
                points=entry["points"],
                measure=entry["measure"],
                measured=measured_text(indicator, entry["measure"], language),
                floor=None if floor is None else floor.id,
                floor_title="" if floor is None else text(floor.title, language, floor.id),
                facts=shown,
            )
        )
    level = policy.levels[home.level - 1] if home.level else None
    return Explanation(
        household=home.id,
        community=home.community,
        day=day_text(day),
        members=tuple(
            MemberShown(member.id, member.role, age(member.birth, day), member.sex) for member in home.members
        ),
        score=score.total,
        level=level.id if level else None,
        level_title=text(level.title, language, level.id) if level else "",
        dimensions=_dimensions(score, rules, entries, language),
        warnings=home.warned,
    )


def _dimensions(
    score: Score, rules: Rules, entries: dict[str, list[IndicatorShown]], language: Language
) -> tuple[DimensionShown, ...]:
    return tuple(
        DimensionShown(d.id, text(d.title, language, d.id), points, d.cap, tuple(entries.get(d.id, ())))
        for d, points in zip(rules.policy.dimensions, score.dimensions, strict=True)
    )


def text(titles: Titles, language: Language, fallback: str) -> str:
    """A title in a language, or in any, or the fallback."""
    return titles.get(language) or titles.get("en") or titles.get("zh") or fallback


def _facts_by_name(home: Household) -> dict[tuple[str, str, str], Fact]:
    found: dict[tuple[str, str, str], Fact] = {}
    subjects = [(f"household/{home.id}", home.own)]
    subjects += [(f"person/{resident.id}", resident.known) for resident in home.residents.values()]
    for subject, known in subjects:
        for facts in known.facts.values():
            for fact in facts:
                found[subject, fact.source, fact.id] = fact
    return found


def _fact_shown(
    given: dict[str, Any], facts: dict[tuple[str, str, str], Fact], catalog: Catalog, language: Language
) -> FactShown:
    type = catalog.events[given["type"]]
    fact = facts[given["subject"], given["source"], given["id"]]
    department = given["source"].removeprefix(catalog.source_root + "/")
    known = catalog.departments.get(department)
    return FactShown(
        subject=given["subject"],
        type=given["type"],
        title=text(type.title, language, given["type"]),
        day=given["day"],
        department=text(known.title, language, department) if known else department,
        source=given["source"],
        id=given["id"],
        data=shown_data(given["type"], fact, catalog),
    )


def shown_data(type: str, fact: Fact, catalog: Catalog) -> dict[str, Any]:
    """A fact's fields as people write them: money in yuan."""
    fields = catalog.events[type].data if type in catalog.events else {}
    return {
        name: value / 100
        if name in fields and fields[name].kind == "money" and isinstance(value, int)
        else value
        for name, value in fact.data.items()
    }


_UNITS: dict[Language, dict[str, str]] = {
    "en": {
        "yuan": "{} yuan",
        "days": "{} days",
        "percent": "{} %",
        "facts": "{} times",
        "members": "{} members",
    },
    "zh": {"yuan": "{}元", "days": "{}天", "percent": "{}%", "facts": "{}次", "members": "{}人"},
}
_OF_ONE = {"days": "{} day", "facts": "once", "members": "{} member"}
"""English units of exactly one."""


def measured_text(indicator: Indicator, measure: float | None, language: Language) -> str:
    """A measure with its unit."""
    if measure is None:
        return "what to compare with is 0" if language == "en" else "比较基数为零"
    number = f"{measure:,}" if isinstance(measure, int) else f"{measure:,.2f}".rstrip("0").rstrip(".")
    if indicator.measure is None:
        unit = "percent" if indicator.share else "members"
    else:
        unit = "percent" if indicator.percent_of is not None else _unit(indicator.measure)
    if not unit:
        return number
    form = _OF_ONE.get(unit) if language == "en" and measure == 1 else None
    return (form or _UNITS[language][unit]).format(number)


def _unit(measure: Measure) -> str:
    if measure.is_money:
        return "yuan"
    if measure.function == "days_since":
        return "days"
    if measure.function == "count":
        return "facts"
    if measure.field is not None and measure.field.endswith("_days"):
        return "days"
    if measure.field is not None and measure.field.endswith("_percent"):
        return "percent"
    return ""


def sentences(explanation: Explanation, language: Language = "en") -> list[str]:
    """The explanation in sentences, one a line, indented by what belongs to what."""
    return _english(explanation) if language == "en" else _chinese(explanation)


def _english(e: Explanation) -> list[str]:
    where = f"community {e.community}" if e.community else "no community known"
    level = f"level {e.level_title or e.level}" if e.level else "no warning level"
    lines = [f"Household {e.household} ({where}) scored {e.score} of 100 on {e.day}: {level}."]
    people = []
    for m in e.members:
        years = "age unknown" if m.age is None else f"{m.age} years"
        people.append(f"{m.id} ({m.role}, {years}{', ' + m.sex if m.sex else ''})")
    counted = "1 member" if len(people) == 1 else f"{len(people)} members"
    lines.append(f"{counted}: {', '.join(people)}." if people else "It has no members.")
    for d in e.dimensions:
        if not d.indicators:
            continue
        given = sum(i.points for i in d.indicators)
        note = "" if given == d.points else f"; the indicators give {given}"
        lines.append(f"{d.title}: {d.points} of at most {d.cap} points{note}.")
        for i in d.indicators:
            who = f" {i.person}:" if i.person else ""
            floor = f" This alone holds the level at {i.floor_title} or above." if i.floor else ""
            lines.append(f"  {i.points:+d}{who} {i.because} (measured: {i.measured}).{floor}")
            lines += [
                f"      {f.day} {f.title}{_data(f, 'en')}: {f.department}, {f.subject}, event {f.id}"
                for f in i.facts
            ]
    return lines


def _chinese(e: Explanation) -> list[str]:
    where = f"社区{e.community}" if e.community else "社区未知"
    level = f"等级：{e.level_title or e.level}" if e.level else "未达预警等级"
    lines = [f"家庭{e.household}（{where}）在{e.day}得{e.score}分（满分100），{level}。"]
    people = []
    for m in e.members:
        years = "年龄未知" if m.age is None else f"{m.age}岁"
        sex = {"female": "，女", "male": "，男"}.get(m.sex or "", "")
        people.append(f"{m.id}（{MEMBER_ZH.get(m.role, m.role)}，{years}{sex}）")
    lines.append(f"成员{len(e.members)}人：{'、'.join(people)}。" if people else "没有成员。")
    for d in e.dimensions:
        if not d.indicators:
            continue
        given = sum(i.points for i in d.indicators)
        note = "" if given == d.points else f"；各项指标合计{given}分"
        lines.append(f"{d.title}：{d.points}分（上限{d.cap}分）{note}。")
        for i in d.indicators:
            who = f"{i.person}：" if i.person else ""
            floor = f"仅此一项即不低于“{i.floor_title}”。" if i.floor else ""
            lines.append(f"  {i.points:+d} {who}{i.because}（{i.measured}）。{floor}")
            lines += [
                f"      {f.day} {f.title}{_data(f, 'zh')}：{f.department}，{f.subject}，事件{f.id}"
                for f in i.facts
            ]
    return lines


def _data(fact: FactShown, language: Language) -> str:
    if not fact.data:
        return ""
    fields = (f"{name} {value_text(value, language)}" for name, value in fact.data.items())
    return f" [{'，'.join(fields) if language == 'zh' else ', '.join(fields)}]"


def value_text(value: object, language: Language) -> str:
    """The value of a field as people write it."""
    if isinstance(value, bool):
        return {"en": ("no", "yes"), "zh": ("否", "是")}[language][value]
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else str(value)
