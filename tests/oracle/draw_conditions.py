"""Random conditions of a policy: of facts (`where`) and of members."""

from __future__ import annotations

from random import Random

from tests.oracle.places import Place
from tests.oracle.reading import ROLES, Catalog


class Conditions:
    """Draws conditions that are valid for a catalogue.

    Attributes:
        person_indicators: those that conditions of members may name.
    """

    def __init__(self, draw: Random, catalog: Catalog, place: Place) -> None:
        self.draw = draw
        self.catalog = catalog
        self.place = place
        self.person_indicators: list[str] = []

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def types_about(self, kind: str) -> list[str]:
        return sorted(name for name in self.catalog.facts if self.catalog.types[name].subject == kind)

    def kinds(self, types: list[str], field: str) -> set[str]:
        """The kinds of a field over the types that have it."""
        return {
            self.catalog.types[name].fields[field].kind
            for name in types
            if field in self.catalog.types[name].fields
        }

    def fields(self, types: list[str]) -> list[str]:
        return sorted({field for name in types for field in self.catalog.types[name].fields})

    def joined(self, left: str, right: str) -> str:
        how = self.draw.random()
        if how < 0.4:
            return f"{left} and {right}"
        if how < 0.8:
            return f"{left} or {right}"
        return f"({left}) {self.draw.choice(['and', 'or'])} not ({right})"

    def where(self, types: list[str], depth: int) -> str | None:
        draw = self.draw
        usable = []
        for field in self.fields(types):
            kinds = self.kinds(types, field)
            if len(kinds) == 1 or kinds == {"money", "integer"}:
                usable.append(field)
        if not usable:
            return None
        if depth < 2 and self.chance(0.4):
            left, right = self.where(types, depth + 1), self.where(types, depth + 1)
            assert left is not None
            assert right is not None
            return self.joined(left, right)
        field = draw.choice(usable)
        test = self.field_test(types, field)
        return f"not {test}" if self.chance(0.2) else f"({test})" if self.chance(0.1) else test

    def field_test(self, types: list[str], field: str) -> str:
        draw = self.draw
        kind = min(self.kinds(types, field))
        if kind == "boolean":
            truth = draw.choice(["true", "false"])
            return draw.choice(
                [field, field, f"{field} == {truth}", f"{truth} != {field}", f"{field} in [{truth}]"]
            )
        return self.compared(field, [self.literal(types, field, kind) for _ in range(3)])

    def compared(self, name: str, literals: list[str]) -> str:
        draw = self.draw
        sign = draw.choice(["==", "!=", "<", "<=", ">", ">="])
        other = draw.choice(["==", "!=", "<", "<=", ">", ">="])
        space = draw.choice([" ", " ", ""])
        in_ = draw.choice(["in", "not in", "not  in"])
        among = f"[{', '.join(literals[: draw.randint(1, 3)])}]"
        return draw.choice(
            [
                f"{name}{space}{sign}{space}{literals[0]}",
                f"{literals[0]} {sign} {name}",
                f"{literals[0]} {sign} {name} {other} {literals[1]}",
                f"{name} {sign} {literals[0]} {other} {name}",
                f"{name} {in_} {among}",
            ]
        )

    def quote(self, text: str) -> str:
        quotes = [quote for quote in "\"'" if quote not in text]
        quote = self.draw.choice(quotes)
        return f"{quote}{text}{quote}"

    def literal(self, types: list[str], field: str, kind: str) -> str:
        draw = self.draw
        if kind in ("integer", "money"):
            return draw.choice(
                ["0", "1", "2", "3", "5", "-1", "2.5", "100", "450.25", "010", "1000.00", "-0", "- 2"]
            )
        if kind == "date":
            return self.quote(self.place.date(draw.randint(-3, 30)))
        if kind == "choice":
            fields = [self.catalog.types[name].fields.get(field) for name in types]
            return self.quote(draw.choice(sorted({item for found in fields if found for item in found.of})))
        return self.quote(
            draw.choice(["", "a", "A12", "C34", "武汉", "x", "\U00010000", "\ufffd", "bc", "ab b", "and"])
        )

    def members(self, depth: int) -> str:
        draw = self.draw
        if depth < 3 and self.chance(0.45):
            return self.joined(self.members(depth + 1), self.members(depth + 1))
        how = draw.random()
        if self.person_indicators and how < 0.4:
            name = self.quote(draw.choice(self.person_indicators))
            number = draw.choice(["0", "1", "5", "10", "-3", "20"])
            sign = draw.choice(["==", "!=", "<", "<=", ">", ">="])
            test = draw.choice(
                [
                    f"active({name})",
                    f"not active({name})",
                    f"points({name}) {sign} {number}",
                    f"{number} {sign} points({name})",
                    f"0 < points({name}) <= {number}",
                    f"age > 3 {sign} points({name})",
                ]
            )
        elif how < 0.7:
            numbers = [draw.choice(["0", "1", "5", "18", "18", "60", "-1", "17.5"]) for _ in range(3)]
            test = self.compared("age", numbers)
        elif how < 0.85:
            test = self.compared("role", [self.quote(draw.choice(ROLES)) for _ in range(3)])
        else:
            test = self.compared("sex", [self.quote(draw.choice(["female", "male"])) for _ in range(3)])
        return f"not {test}" if self.chance(0.2) else test
