"""A policy as tables on the terminal."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rules.calendar import day_text
from rules.policy import Dimension, Indicator
from rules.words import Language, Words, number_text, title_of

#: Columns where the output goes to a file or a pipe.
_WIDTH: Final = 120
_LEVEL_STYLES: Final = {
    "blue": "bold blue",
    "yellow": "bold yellow",
    "orange": "bold dark_orange",
    "red": "bold red",
}
_HEADS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "title": "Policy {id}, version {version}",
        "about": "time zone {timezone} · digest {digest} · {count} indicators · values as of {day}",
        "levels": "Levels",
        "level": "level",
        "at": "reached at",
        "clear": "left below",
        "parameters": "Parameters",
        "parameter": "parameter",
        "from": "from",
        "value": "value",
        "unit and basis": "unit and basis",
        "dimension": "{title} · at most {cap} points · members' points {members} · indicators: {count}",
        "sum": "added",
        "max": "of the highest",
        "indicator": "indicator",
        "measured": "what is measured",
        "points": "points",
        "person": "each member",
        "household": "household",
        "basis": "Basis: {}",
    },
    "zh": {
        "title": "政策 {id} 第{version}版",
        "about": "时区 {timezone} · 摘要 {digest} · {count}项指标 · 数值截至 {day}",
        "levels": "预警等级",
        "level": "等级",
        "at": "达到",
        "clear": "低于则解除",
        "parameters": "参数",
        "parameter": "参数",
        "from": "起始日",
        "value": "数值",
        "unit and basis": "单位与依据",
        "dimension": "{title} · 上限{cap}分 · 成员得分{members} · {count}项指标",
        "sum": "相加",
        "max": "取最高",
        "indicator": "指标",
        "measured": "衡量内容",
        "points": "分值",
        "person": "按成员",
        "household": "按家庭",
        "basis": "依据：{}",
    },
}


def print_policy(words: Words, dimension: str | None = None, console: Console | None = None) -> None:
    """Print levels, parameters and the indicators by dimension; or those of one dimension alone."""
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=_WIDTH)
    heads, policy = _HEADS[words.language], words.policy
    if dimension is None:
        about = heads["about"].format(
            timezone=policy.timezone,
            digest=policy.digest[:12],
            count=len(policy.indicators),
            day=day_text(words.day),
        )
        title = heads["title"].format(id=policy.id, version=policy.version)
        console.print(Panel(Text(about), title=Text(title, "bold"), title_align="left", expand=False))
        console.print(_levels(words))
        if policy.parameters:
            console.print(_parameters(words))
    for index, one in enumerate(policy.dimensions):
        if dimension in (None, one.id):
            console.print(_dimension(words, index, one))


def _table(title: Text, *columns: str) -> Table:
    return Table(
        *columns, box=box.SIMPLE_HEAD, title=title, title_justify="left", header_style="dim", pad_edge=False
    )


def _levels(words: Words) -> Table:
    heads = _HEADS[words.language]
    table = _table(Text(heads["levels"], "bold"), heads["level"])
    table.add_column(heads["at"], justify="right")
    table.add_column(heads["clear"], justify="right")
    for level in words.policy.levels:
        title = Text(title_of(level.title, words.language, level.id), _LEVEL_STYLES.get(level.id, "bold"))
        table.add_row(title, str(level.at), str(level.clear))
    return table


def _parameters(words: Words) -> Table:
    heads = _HEADS[words.language]
    table = _table(Text(heads["parameters"], "bold"), heads["parameter"], heads["from"])
    table.add_column(heads["value"], justify="right")
    table.add_column(heads["unit and basis"], overflow="fold")
    for one in words.policy.parameters.values():
        in_force = one.at(words.day)
        days = Text("\n").join(Text(day_text(first)) for first, _ in one.values)
        values = Text("\n").join(
            Text(number_text(value), "bold" if value == in_force else "dim") for _, value in one.values
        )
        table.add_row(Text(one.name), days, values, Group(Text(one.unit), Text(one.basis, "dim")))
    return table


def _dimension(words: Words, index: int, dimension: Dimension) -> Group:
    heads = _HEADS[words.language]
    indicators = [one for one in words.policy.indicators if one.dimension == index]
    title = heads["dimension"].format(
        title=title_of(dimension.title, words.language, dimension.id),
        cap=dimension.cap,
        members=heads[dimension.members],
        count=len(indicators),
    )
    table = Table(box=box.HORIZONTALS, header_style="dim", pad_edge=False, show_lines=True, expand=True)
    table.add_column(heads["indicator"], ratio=3, overflow="fold")
    table.add_column(heads["measured"], ratio=6, overflow="fold")
    table.add_column(heads["points"], ratio=3, overflow="fold")
    for one in indicators:
        table.add_row(_who(words, one), _what(words, one), Text("\n".join(words.points(one.points))))
    return Group(Padding(Text(title, "bold cyan"), (1, 0, 0, 0)), table)


def _who(words: Words, one: Indicator) -> Group:
    tier = _HEADS[words.language][one.tier]
    title = title_of(one.title, words.language, one.id)
    return Group(Text(title, "bold"), Text(f"{one.id} · {tier}", "dim"))


def _what(words: Words, one: Indicator) -> Group:
    lines = [Text(words.measured(one))]
    if one.fades is not None:
        lines.append(Text(words.fading(one), "italic"))
    if one.floor is not None:
        level = words.policy.levels[one.floor]
        lines.append(Text(words.floor(one), _LEVEL_STYLES.get(level.id, "bold")))
    if one.basis:
        lines.append(Text(_HEADS[words.language]["basis"].format(" ".join(one.basis.split())), "dim"))
    return Group(*lines)
