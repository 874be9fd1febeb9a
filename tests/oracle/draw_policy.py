"""A random policy that uses all of the language, valid for the catalogue it is drawn for."""

from __future__ import annotations

from random import Random

from tests.oracle.draw_conditions import Conditions
from tests.oracle.places import Place
from tests.oracle.reading import HOUSEHOLD, PERSON, Catalog
from tests.oracle.writing import Node

NAMES = (
    "a",
    "a-1",
    "a1",
    "b",
    "risk",
    "risk-0",
    "no",
    "load-7",
    "need",
    "income-below-line",
    "z",
    "off",
    "mark",
)
DIMENSIONS = ("health", "economy", "education", "housing", "age", "employment", "yes")
LEVELS = ("blue", "yellow", "orange", "red", "no", "purple")


def draw_policy(draw: Random, catalog: Catalog, place: Place) -> Node:
    """The nodes of a valid policy."""
    return _Policy(draw, catalog, place).node()


class _Policy(Conditions):
    def __init__(self, draw: Random, catalog: Catalog, place: Place) -> None:
        super().__init__(draw, catalog, place)
        self.parameters: dict[str, list[str]] = {}
        self.dimensions = draw.sample(DIMENSIONS, draw.randint(1, 6))
        self.levels: list[str] = []

    def node(self) -> Node:
        draw = self.draw
        policy: dict[str, Node] = {
            "policy": draw.choice(["drawn", "test", "p", "wuchang"]),
            "version": draw.choice(["1", "7", "12", "2024"]),
            "timezone": self.place.zone,
        }
        if self.chance(0.8):
            policy["parameters"] = self.draw_parameters()
        policy["dimensions"] = self.draw_dimensions()
        policy["levels"] = self.draw_levels()
        names = draw.sample(NAMES, min(len(NAMES), draw.choice([1, 1, 2, 4, 6, 9, len(NAMES)])))
        tiers = [draw.choice([PERSON, PERSON, HOUSEHOLD, HOUSEHOLD, "members"]) for _ in names]
        self.person_indicators = [name for name, tier in zip(names, tiers, strict=True) if tier == PERSON]
        indicators = [self.indicator(name, tier) for name, tier in zip(names, tiers, strict=True)]
        if self.chance(0.4):
            indicators.insert(draw.randint(0, len(indicators)), self.presence())
        if self.chance(0.25):
            indicators.append(self.growing())
        policy["indicators"] = indicators
        return policy

    def draw_parameters(self) -> Node:
        found: dict[str, Node] = {}
        for name in self.draw.sample(["line_yuan", "_factor", "x", "no", "days"], self.draw.randint(1, 4)):
            values: dict[str, Node] = {}
            numbers = self.draw.sample(["910", "962.50", "1.5", "2", "-3", "0", "0.25", "30", "1000"], 3)
            for value in numbers[: self.draw.randint(1, 3)]:
                values[self.place.date(self.draw.randint(-40, 60))] = value
            self.parameters[name] = [str(value) for value in values.values()]
            found[name] = {"unit": "yuan", "basis": "notice", "values": values}
        return found

    def draw_dimensions(self) -> Node:
        count = len(self.dimensions)
        cuts = sorted(self.draw.sample(range(1, 100), count - 1))
        caps = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
        return [
            {
                "id": name,
                "title": {"en": name, "zh": "维度"},
                "cap": str(cap),
                "members": self.draw.choice(["sum", "max"]),
            }
            for name, cap in zip(self.dimensions, caps, strict=True)
        ]

    def draw_levels(self) -> Node:
        self.levels = self.draw.sample(LEVELS, self.draw.randint(1, 5))
        top = self.draw.choice([10, 20, 30, 50, 100])
        heights = sorted(self.draw.sample(range(2, top + 1), len(self.levels)))
        return [
            {"id": name, "at": str(at), "clear": str(self.draw.randint(1, at - 1))}
            for name, at in zip(self.levels, heights, strict=True)
        ]

    # -- what is measured --------------------------------------------------------

    def one_or_list(self, types: list[str]) -> Node:
        return types[0] if len(types) == 1 and self.chance(0.6) else list(types)

    def selection(self, kind: str, money: bool | None = None) -> tuple[dict[str, Node], bool]:
        """`from`, `where` and so on; and whether the measure is money (as demanded, if at all)."""
        while True:
            node, is_money = self.any_selection(kind)
            if money is None or money == is_money:
                return node, is_money
            if money and not self.has_money(kind):
                raise LookupError(kind)

    def has_money(self, kind: str) -> bool:
        types = self.types_about(kind)
        return any(
            field.kind == "money" for name in types for field in self.catalog.types[name].fields.values()
        )

    def any_selection(self, kind: str) -> tuple[dict[str, Node], bool]:
        draw = self.draw
        about = self.types_about(kind)
        types = draw.sample(about, min(len(about), draw.choice([1, 1, 2, 3])))
        node: dict[str, Node] = {"from": self.one_or_list(types)}
        others = [name for name in about if name not in types]
        if others and self.chance(0.3):
            node["until"] = self.one_or_list(draw.sample(others, min(len(others), draw.choice([1, 1, 2]))))
        if self.chance(0.45):
            where = self.where(types, 0)
            if where is not None:
                node["where"] = where
        if self.chance(0.5):
            node["within"] = f"{min(self.catalog.keep, draw.choice([1, 2, 3, 7, 10, 30, 90, 365]))}d"
        numeric = [
            field for field in self.fields(types) if self.kinds(types, field) in ({"money"}, {"integer"})
        ]
        is_money = False
        if numeric and self.chance(0.55):
            field = draw.choice(numeric)
            node["measure"] = f"{draw.choice(['sum', 'max', 'min', 'latest'])}({field})"
            is_money = self.kinds(types, field) == {"money"}
        elif self.chance(0.8):
            node["measure"] = draw.choice(["count", "days_since"])
        return node, is_money

    def indicator(self, name: str, tier: str) -> Node:
        draw = self.draw
        node: dict[str, Node] = {
            "id": name,
            "title": {"en": f"Indicator {name}", "zh": "指标"},
            "dimension": draw.choice(self.dimensions),
            "tier": PERSON if tier == PERSON else HOUSEHOLD,
        }
        is_money = False
        if tier == "members":
            node["members"] = self.members(0)
            node["measure"] = draw.choice(["count", "share"])
        else:
            kind = PERSON if tier == PERSON else draw.choice([PERSON, HOUSEHOLD])
            measured, is_money = self.selection(kind)
            node.update(measured)
            if tier == HOUSEHOLD:
                is_money = self.household(node, kind, is_money)
            if self.chance(0.3):
                node["fades"] = {
                    "after": f"{draw.choice([0, 0, 1, 2, 5, 30])}d",
                    "over": f"{draw.choice([1, 2, 3, 7, 30, 45])}d",
                }
        node["points"] = self.points(is_money)
        if self.chance(0.15):
            node["floor"] = draw.choice(self.levels)
        if self.chance(0.3):
            node["basis"] = "notice no. 7"
        items = list(node.items())
        if self.chance(0.5):
            draw.shuffle(items)
        return dict(items)

    def presence(self) -> Node:
        """Points for being there at all, so that persons who are forgotten are missed."""
        return {
            "id": "there",
            "title": {"en": "There", "zh": "在"},
            "dimension": self.draw.choice(self.dimensions),
            "tier": HOUSEHOLD,
            "members": self.draw.choice(["role == 'other'", "not age > 200", "role != 'head'"]),
            "measure": "count",
            "points": {"at_least": {"1": "30"}},
        }

    def growing(self) -> Node:
        """Days since something, of several members or as a percentage: it changes on days of its own."""
        draw = self.draw
        types = self.types_about(PERSON)
        across = draw.choice(["sum", "max", "per_member", "per_member"])
        node: dict[str, Node] = {
            "id": "since",
            "title": {"en": "Since", "zh": "久"},
            "dimension": draw.choice(self.dimensions),
            "tier": HOUSEHOLD,
            "from": draw.choice(types),
            "measure": "days_since",
            "across": across,
            "points": {
                draw.choice(["at_least", "at_most"]): {
                    str(draw.randint(0, 12)): self.worth(),
                    str(draw.randint(13, 40)): self.worth(),
                    str(draw.randint(41, 300)): self.worth(),
                }
            },
        }
        if self.chance(0.5):
            node["percent_of"] = {
                "from": draw.choice(types),
                "measure": draw.choice(["days_since", "count"]),
                "across": draw.choice(["sum", "max", "per_member"]),
            }
        return node

    def household(self, node: dict[str, Node], kind: str, is_money: bool) -> bool:
        draw = self.draw
        across = ("sum", "max", "per_member")
        if kind == PERSON:
            node["across"] = draw.choice(across)
        if not self.chance(0.4):
            return is_money
        try:
            percent, _ = self.selection(kind, is_money)
        except LookupError:
            return is_money
        if kind == PERSON:
            percent["across"] = draw.choice(across)
        if self.chance(0.5):
            percent["times"] = draw.choice(["1", "2", "12"])
        node["percent_of"] = percent
        return False

    # -- points ------------------------------------------------------------------

    def worth(self) -> str:
        return str(
            self.draw.choice([self.draw.randint(1, 40), self.draw.randint(1, 100), self.draw.randint(-30, 0)])
        )

    def points(self, is_money: bool) -> Node:
        if self.chance(0.2):
            return self.worth()
        bounds: dict[str, Node] = {}
        for _ in range(self.draw.randint(1, 4)):
            bounds[self.bound(is_money)] = self.worth()
        return {self.draw.choice(["at_least", "at_most"]): bounds}

    def bound(self, is_money: bool) -> str:
        draw = self.draw
        small = ("0", "1", "2", "3", "5", "10", "-2", "1.0", "2.0", "02", "0.5", "50", "7", "30")
        large = ("0", "100", "500", "910", "1000", "450.25", "-100", "2000.00", "962.50")
        number = draw.choice(large if is_money and self.chance(0.8) else small)
        if self.chance(0.55):
            return number
        return self.arithmetic(number, 0)

    def arithmetic(self, number: str, depth: int) -> str:
        draw = self.draw
        names = sorted(self.parameters)
        how = draw.random()
        if names and (how < 0.35 or depth > 2):
            return draw.choice(names)
        if depth > 2 or how < 0.5:
            return number
        space = draw.choice([" ", " ", ""])
        left, right = (
            self.arithmetic(number, depth + 1),
            self.arithmetic(draw.choice(["1", "2", "-1", "0.5"]), depth + 1),
        )
        if how < 0.6:
            return f"({left})"
        if how < 0.9:
            # A minus that follows a sign at once is a number's own.
            return f"{left}{space or ' '}{draw.choice(['+', '-', '*'])}{space or ' '}{right}"
        whole = [name for name in names if not any(float(value) == 0 for value in self.parameters[name])]
        divisor = draw.choice([*whole, "2", "3", "0.5", "-4"])
        return f"{left}{space}/{space}{divisor}"
