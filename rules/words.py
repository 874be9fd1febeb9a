"""A policy in words, in English or Chinese: for people who check that the rules say what was meant."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, Literal

from rules.expression import (
    Active,
    Amount,
    Both,
    Compare,
    Either,
    Expression,
    Flag,
    Literals,
    Name,
    Not,
    OneOf,
    PointsOf,
)
from rules.policy import Indicator, Measure, Points, Policy, Titles
from streams.catalog import Catalog

Language = Literal["en", "zh"]

_SIGNS: Final = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_TIMES_SIGN: Final = {"+": "+", "-": "-", "*": "×", "/": "/"}
MEMBER_ZH: Final = {
    "age": "年龄",
    "role": "身份",
    "sex": "性别",
    "head": "户主",
    "spouse": "配偶",
    "child": "子女",
    "parent": "父母",
    "grandparent": "祖父母",
    "grandchild": "孙子女",
    "sibling": "兄弟姐妹",
    "other": "其他",
    "female": "女",
    "male": "男",
}
"""What conditions on members speak of, in Chinese."""
_WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    "and": {"en": " and ", "zh": " 且 "},
    "or": {"en": " or ", "zh": " 或 "},
    "not": {"en": "not {}", "zh": "非 {}"},
    "in": {"en": "{} is one of {}", "zh": "{} 属于 {}"},
    "not in": {"en": "{} is none of {}", "zh": "{} 不属于 {}"},
    "comma": {"en": ", ", "zh": "、"},
    "points of": {"en": "points of “{}”", "zh": "「{}」得分"},
    "active": {"en": "“{}” applies", "zh": "「{}」成立"},
    "true": {"en": "yes", "zh": "是"},
    "false": {"en": "no", "zh": "否"},
    "count": {"en": "number of: {types}", "zh": "{types}的次数"},
    "days_since": {"en": "days since the last of: {types}", "zh": "距最近一次{types}的天数"},
    "sum": {"en": "total {field} of: {types}", "zh": "{types}的 {field} 合计"},
    "max": {"en": "greatest {field} of: {types}", "zh": "{types}的最大 {field}"},
    "min": {"en": "least {field} of: {types}", "zh": "{types}的最小 {field}"},
    "latest": {"en": "latest {field} of: {types}", "zh": "{types}的最新 {field}"},
    "within": {"en": "in the last {} days", "zh": "近{}天内"},
    "where": {"en": "where {}", "zh": "条件：{}"},
    "until": {"en": "until {}", "zh": "遇{}即终止"},
    "across sum": {"en": "added over the members", "zh": "全家合计"},
    "across max": {"en": "greatest of the members", "zh": "取成员最大值"},
    "across per_member": {"en": "per member of the household", "zh": "按家庭人口平均"},
    "percent_of": {"en": "in percent of {}", "zh": "占以下的百分比：{}"},
    "times": {"en": "{} times ({})", "zh": "{}倍（{}）"},
    "members": {"en": "number of members with {}", "zh": "符合条件的成员数：{}"},
    "share": {"en": "percent of members with {}", "zh": "符合条件的成员占比（%）：{}"},
    "joint": {"en": "; ", "zh": "；"},
    "flat": {"en": "{} if there is any", "zh": "有则{}分"},
    "at_least": {"en": "from {}: {}", "zh": "≥ {}：{}分"},
    "at_most": {"en": "up to {}: {}", "zh": "≤ {}：{}分"},
    "fades": {
        "en": "whole for {after} days, then down to 0 in {over} days",
        "zh": "{after}天内全额，随后{over}天内递减至0",
    },
    "floor": {"en": "alone warns: at least {}", "zh": "单项即预警：不低于{}"},
}


def title_of(titles: Titles, language: Language, fallback: str) -> str:
    """A title in the language, or in any, or the fallback."""
    return titles.get(language) or next(iter(titles.values()), "") or fallback


def number_text(number: Fraction) -> str:
    """An exact number: with thousands and decimals where it has few, otherwise as a fraction."""
    if number.denominator == 1:
        return f"{number.numerator:,}"
    for decimals in (1, 2, 3, 4):
        if (number * 10**decimals).denominator == 1:
            whole, rest = divmod(abs(int(number * 10**decimals)), 10**decimals)
            return f"{'-' if number < 0 else ''}{whole:,}.{rest:0{decimals}d}"
    return f"{number.numerator:,}/{number.denominator:,}"


class Words:
    """Says the parts of one policy.

    Args:
        day: whose values of the parameters are given, as days since 1970-01-01.
    """

    def __init__(self, policy: Policy, catalog: Catalog, language: Language, day: int) -> None:
        self.policy = policy
        self.catalog = catalog
        self.language: Language = language
        self.day = day
        self.parameters = policy.parameters_at(day)
        self._titles = {one.id: title_of(one.title, language, one.id) for one in policy.indicators}

    def _say(self, key: str, *args: object, **named: object) -> str:
        return _WORDS[key][self.language].format(*args, **named)

    def measured(self, indicator: Indicator) -> str:
        """What an indicator measures."""
        if indicator.members is not None:
            return self._say("share" if indicator.share else "members", self.condition(indicator.members))
        assert indicator.measure is not None
        text = self.measure(indicator.measure)
        if indicator.percent_of is None:
            return text
        base = self.measure(indicator.percent_of)
        if indicator.times != 1:
            base = self._say("times", indicator.times, base)
        return text + self._say("joint") + self._say("percent_of", base)

    def measure(self, measure: Measure) -> str:
        """A measure over facts: function, types, window, condition, end, and how members are combined."""
        comma = self._say("comma")
        parts = [self._say(measure.function, types=self.types(measure.types), field=measure.field)]
        if measure.within_days is not None:
            parts.append(self._say("within", measure.within_days))
        if measure.where is not None:
            parts.append(self._say("where", self.condition(measure.where)))
        if measure.until:
            parts.append(self._say("until", self.types(measure.until)))
        if measure.across is not None:
            parts.append(self._say(f"across {measure.across}"))
        return (comma if self.language == "en" else "，").join(parts)

    def types(self, types: tuple[str, ...]) -> str:
        """Titles of event types."""
        titles = [
            title_of(self.catalog.events[one].title if one in self.catalog.events else {}, self.language, one)
            for one in types
        ]
        return self._say("comma").join(titles)

    def points(self, points: Points) -> list[str]:
        """The points, one line a bound."""
        if points.flat is not None:
            return [self._say("flat", f"{points.flat:+d}")]
        key = "at_least" if points.at_least else "at_most"
        return [self._say(key, self.amount(bound), f"{given:+d}") for bound, given in points.bounds]

    def amount(self, amount: Amount) -> str:
        """A bound, with its value on the day where parameters decide it."""
        value = number_text(amount.value(self.parameters))
        return f"{_formula(amount)} = {value}" if amount.parameters() else value

    def fading(self, indicator: Indicator) -> str:
        """How the points fade; empty where they do not."""
        if indicator.fades is None:
            return ""
        return self._say("fades", after=indicator.fades[0], over=indicator.fades[1])

    def floor(self, indicator: Indicator) -> str:
        """The level that the indicator alone holds; empty where there is none."""
        if indicator.floor is None:
            return ""
        level = self.policy.levels[indicator.floor]
        return self._say("floor", title_of(level.title, self.language, level.id))

    def condition(self, expression: Expression, *, inside: str = "or") -> str:
        """An expression; ``inside`` is what it is an operand of, to bracket only where needed."""
        match expression:
            case Flag(name):
                return self._name(name)
            case Compare(operand, operator, literal):
                return f"{self._name(operand)} {_SIGNS[operator]} {self._literal(operand, literal)}"
            case OneOf(name, values, negated):
                listed = self._say("comma").join(self._literal(name, value) for value in values)
                return self._say("not in" if negated else "in", self._name(name), listed)
            case Active(indicator):
                return self._say("active", self._titles[indicator])
            case Not(of):
                return self._say("not", self.condition(of, inside="not"))
            case Both(left, right):
                text = self._joined("and", left, right)
                return f"({text})" if inside == "not" else text
            case Either(left, right):
                text = self._joined("or", left, right)
                return f"({text})" if inside in ("not", "and") else text

    def _joined(self, word: str, left: Expression, right: Expression) -> str:
        return self._say(word).join(self.condition(one, inside=word) for one in (left, right))

    def _name(self, operand: Name | PointsOf) -> str:
        if isinstance(operand, PointsOf):
            return self._say("points of", self._titles[operand.indicator])
        return self._member(operand.name)

    def _member(self, name: str) -> str:
        return MEMBER_ZH.get(name, name) if self.language == "zh" else name

    def _literal(self, operand: Name | PointsOf, literal: Literals) -> str:
        if isinstance(literal, bool):
            return self._say(str(literal).lower())
        if isinstance(literal, Fraction):
            return number_text(literal)
        of_member = isinstance(operand, Name) and operand.name in ("role", "sex")
        return self._member(literal) if of_member else f"“{literal}”"


def _formula(amount: Amount) -> str:
    text = amount.text
    for sign, shown in _TIMES_SIGN.items():
        text = text.replace(sign, shown)
    return " ".join(text.split())


def expression_text(expression: Expression) -> str:
    """An expression as the policy language writes it, with the fewest brackets."""
    return _written(expression, "or")


def _written(expression: Expression, inside: str) -> str:
    match expression:
        case Flag(name):
            return name.name
        case Compare(operand, operator, literal):
            return f"{_operand(operand)} {operator} {_spelt(literal)}"
        case OneOf(name, values, negated):
            listed = ", ".join(map(_spelt, values))
            return f"{name.name} {'not ' if negated else ''}in [{listed}]"
        case Active(indicator):
            return f'active("{indicator}")'
        case Not(of):
            return f"not {_written(of, 'not')}"
        case Both(left, right):
            text = f"{_written(left, 'and')} and {_written(right, 'and')}"
            return f"({text})" if inside == "not" else text
        case Either(left, right):
            text = f"{_written(left, 'or')} or {_written(right, 'or')}"
            return f"({text})" if inside in ("not", "and") else text


def _operand(operand: Name | PointsOf) -> str:
    return operand.name if isinstance(operand, Name) else f'points("{operand.indicator}")'


def _spelt(literal: Literals) -> str:
    if isinstance(literal, bool):
        return str(literal).lower()
    if isinstance(literal, str):
        return f"'{literal}'" if '"' in literal else f'"{literal}"'
    return number_text(literal).replace(",", "")
