"""Events as lines of JSON, written in many right ways, and in many wrong ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Any, TypeAlias

from tests.oracle import strictjson
from tests.oracle.accept import CHECKS, within
from tests.oracle.clock import DAY, FIRST, LAST, SECOND, format_date
from tests.oracle.odd import ODD_JSON, ODD_SUBJECTS, ODD_TIMES, WRONG_LINES
from tests.oracle.places import Place
from tests.oracle.reading import Catalog, EventType, Field
from tests.oracle.writing import Raw, Writable, json_text

Pairs: TypeAlias = "list[tuple[str, Writable]]"
OFFSETS = (
    "Z",
    "Z",
    "z",
    "+00:00",
    "-00:00",
    "+08:00",
    "+08:00",
    "-12:00",
    "+14:00",
    "+05:45",
    "-03:30",
    "+23:59",
)


MONEY = (
    *("0", "0.00", "1", "2.5", "12.500", "99.99", "100", "450.25", "910", "962.50", "1000", "2000", "-0.5"),
    *("-100", "5e2", "1.2e1", "-0", "-0.0", "1E+3", "12345e-2", "0.01", "3", "20000"),
)


@dataclass(frozen=True)
class Sent:
    """One event before it is written."""

    source: str
    id: str
    type: str
    subject: str
    time: int
    arrival: int
    data: Pairs
    supersedes: str | None = None

    def but(self, **changes: Any) -> Sent:
        return replace(self, **changes)


def money_text(draw: Random, field: Field) -> Writable:
    """Money in one of its many forms; now and then a wrong one."""
    number = draw.choice(MONEY)
    how = draw.random()
    if how < 0.25:
        return draw.choice(["0", "00", "12.5", "-0.5", "910", "962.50", "007.10", "-0.00", "1000.0"])
    if how < 0.27:
        return Raw(
            draw.choice(["92233720368547758.07", "-92233720368547758.08", "92233720368547758.08", "1e999"])
        )
    if how < 0.29:
        return draw.choice(
            ["1.234", "+5", ".5", "5.", "1e2", "", " 5", "５", "-", "92233720368547758.08", "1,000"]
        )
    if how < 0.31:
        return Raw(
            draw.choice(["1.234", "0.001", "1e-3", "true", "null", "[]", "1e-99999999999", "0e99999999999"])
        )
    return Raw(number)


def integer_text(draw: Random, field: Field) -> Writable:
    how = draw.random()
    if how < 0.03:
        return Raw(
            draw.choice(["9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e400"])
        )
    if how < 0.06:
        return Raw(
            draw.choice(['"5"', "5.5", "true", "1e-1", "null", "{}", "0.1e0", "5.00000000000000000001"])
        )
    if how < 0.2:
        return Raw(draw.choice(["5.0", "5e0", "0.3e1", "20E-1", "-0", "-0.0", "1e1", "0e5", "100e-1"]))
    return Raw(str(draw.choice([0, 0, 1, 1, 2, 3, 4, 5, 7, 10, 12, 30, -1, -2, 60])))


def field_value(field: Field, draw: Random, place: Place) -> Writable:
    if field.kind == "money":
        return money_text(draw, field)
    if field.kind == "integer":
        return integer_text(draw, field)
    if field.kind == "boolean":
        return draw.choice([True, True, False, False, False]) if draw.random() < 0.97 else Raw("1")
    if field.kind == "date":
        odd = [
            "2023-02-29",
            "2024-1-1",
            "0000-01-01",
            "20240101",
            "2024-02-30",
            "２024-01-01",
            "9999-12-31",
            "",
        ]
        return place.date(draw.randint(-3, 30)) if draw.random() < 0.96 else draw.choice(odd)
    if field.kind == "choice":
        return (
            draw.choice(field.of)
            if draw.random() < 0.97
            else draw.choice(["none", "", "A ", field.of[0] + "\n"])
        )
    texts = [
        "",
        "a",
        "A12",
        "C34",
        "bc",
        "aBb",
        "x",
        "武汉",
        "\U00010000",
        "\ufffd",
        "12",
        "١٢",
        "a\n",
        "é",
        "ABB",
    ]
    longest = ["x" * field.max_length, "武" * field.max_length, "\U0001f600" * field.max_length]
    if draw.random() < 0.04:
        return draw.choice(longest) + ("y" if draw.random() < 0.4 else "")
    return draw.choice(texts)


def fitting(field: Field, draw: Random, place: Place) -> Writable:
    """A value that mostly fits the field's options too."""
    value = field_value(field, draw, place)
    if draw.random() < 0.05:
        return value
    if field.pattern is not None:
        fits = {
            "[A-Z][0-9]{1,3}": "A12",
            r"\d+": "12",
            "a|bc": "bc",
            "(?i)ab+": "aBb",
            "a$": "a",
            r"\S+\s?": "x",
        }
        value = fits.get(field.pattern, "C34")
    if field.kind == "text":
        return value[: field.max_length] if isinstance(value, str) else value
    if field.kind in ("integer", "money"):
        for _ in range(30):
            check = CHECKS[field.kind](strictjson.read(json_text(value, draw).encode()), field)
            if isinstance(check, Fraction) and within(check, field):
                return value
            value = field_value(field, draw, place)
    return value


def data_of(event_type: EventType, draw: Random, place: Place) -> Pairs:
    data: Pairs = []
    for name, field in event_type.fields.items():
        if (field.required and draw.random() < 0.99) or draw.random() < 0.7:
            data.append((name, fitting(field, draw, place)))
        elif draw.random() < 0.2:
            data.append((name, None))
    if draw.random() < 0.05:
        data.append(("not_in_the_catalogue", draw.choice([Raw("1"), Raw("[{}]"), "x", None])))
    if data and draw.random() < 0.02:
        data.insert(0, (data[-1][0], "an earlier value that does not hold"))
    if draw.random() < 0.1:
        draw.shuffle(data)
    return data


class Lines:
    """Writes events, and remembers the lines."""

    def __init__(self, draw: Random, catalog: Catalog) -> None:
        self.draw = draw
        self.catalog = catalog
        self.written: list[bytes] = []

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def time(self, instant: int) -> str:
        draw = self.draw
        offset = draw.choice(OFFSETS)
        shift = 0
        if offset[0] in "+-":
            shift = (int(offset[1:3]) * 60 + int(offset[4:6])) * 60 * SECOND * (-1 if offset[0] == "-" else 1)
        local = instant + shift
        if not FIRST <= local <= LAST:
            local, offset = instant, "Z"
        day, rest = divmod(local, DAY)
        seconds, micros = divmod(rest, SECOND)
        fraction = f".{micros:06d}" if micros else draw.choice(["", "", "", ".0", ".000000"])
        if fraction and draw.random() < 0.5:
            fraction = fraction.rstrip("0") if micros and draw.random() < 0.5 else fraction
            if len(fraction) == 7:
                fraction += draw.choice(["", "9", "999999999", "0"])
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{format_date(day)}{'t' if self.chance(0.03) else 'T'}{clock}{fraction}{offset}"

    def pairs(self, sent: Sent) -> Pairs:
        data: Writable = list(sent.data)
        found: Pairs = [
            ("specversion", "1.0"),
            ("id", sent.id),
            ("source", sent.source),
            ("type", sent.type),
            ("subject", sent.subject),
            ("time", self.time(sent.time)),
            ("data", data),
        ]
        if sent.arrival != sent.time or self.chance(0.3):
            found.append(("recordedtime", self.time(sent.arrival)))
        elif self.chance(0.05):
            found.append(("recordedtime", None))
        if sent.supersedes is not None:
            found.append(("supersedes", sent.supersedes))
        elif self.chance(0.03):
            found.append(("supersedes", None))
        if self.chance(0.1):
            found.append(("datacontenttype", "application/json"))
        if self.chance(0.03):
            found.append(("traceparent", self.draw.choice([Raw("1"), Raw("null"), Raw("[[[]]]"), "00-ab"])))
        if self.chance(0.02):
            found.insert(0, (found[-1][0], Raw("{}")))  # stands twice: the last one holds
        if self.chance(0.1):
            self.draw.shuffle(found)
        return found

    def write(self, sent: Sent) -> None:
        text = json_text(self.pairs(sent), self.draw)
        if self.chance(0.02):
            self.written.append(self.draw.choice([b"", b" \t", b"\r"]))
        if self.chance(0.03):
            text = self.draw.choice([" ", "\t", ""]) + text + self.draw.choice(["\r", "  ", "\t\r"])
        self.written.append(text.encode("utf-8"))

    def write_wrong(self, sent: Sent) -> None:
        """A line that is rejected, or nearly so."""
        draw = self.draw
        pairs = self.pairs(sent)
        at = draw.randrange(len(pairs))
        how = draw.randrange(9)
        if how == 0:
            del pairs[at]
        elif how == 8:  # in the data, where a program may well read by another way
            odd_value = Raw(draw.choice(ODD_JSON).decode("utf-8", "surrogateescape"))
            name = draw.choice(["odd", *[name for name, _ in sent.data]])
            self.spoil(pairs, "data", [*sent.data, (name, odd_value)])
        elif how == 1:
            odd: list[Writable] = [
                None,
                "",
                Raw("0"),
                Raw("[]"),
                Raw("{}"),
                True,
                " ",
                "x" * 128,
                "x" * 129,
                "😀" * 128,
            ]
            pairs[at] = (pairs[at][0], draw.choice(odd))
        elif how == 2:
            self.spoil(pairs, "time" if self.chance(0.6) else "recordedtime", draw.choice(ODD_TIMES))
        elif how == 3:
            self.spoil(pairs, "subject", draw.choice(ODD_SUBJECTS))
        elif how == 4:
            other = draw.choice(
                [*sorted(self.catalog.types), "no.such", "registry.member.moved", "Fact.retracted"]
            )
            self.spoil(pairs, "type", other)
        elif how == 5:
            root = sent.source.rsplit("/", 1)[0]
            sources = sorted(self.catalog.sources)
            self.spoil(
                pairs,
                "source",
                draw.choice([*sources, root + "/nobody", root, "/", sent.source + "/", "health"]),
            )
        elif how == 6:
            self.spoil(pairs, "specversion", draw.choice(["1", "1.0.0", "0.3", Raw("1.0")]))
        line = json_text(pairs, draw).encode("utf-8", "surrogateescape")
        self.written.append(self.broken(line) if how == 7 else line)

    def spoil(self, pairs: Pairs, name: str, value: Writable) -> None:
        pairs[:] = [pair for pair in pairs if pair[0] != name]
        pairs.append((name, value))

    def broken(self, line: bytes) -> bytes:
        draw = self.draw
        at = draw.randrange(len(line))
        how = draw.randrange(9)
        if how == 0:
            return line[:at] + line[at + 1 :]
        if how == 1:
            return (
                line[:at]
                + bytes([draw.choice(b'"{}[]:,0919.eE+-\\u tfnN/\x00\x1f\x7f\xff\xc3\xed')])
                + line[at:]
            )
        if how == 2:
            return line[:at]
        if how == 3:
            return b"\xef\xbb\xbf" + line
        if how == 4:
            return draw.choice(WRONG_LINES)
        if how == 5:
            size = draw.choice([65_536, 65_537]) - len(line) - len(b', "filler": ""')
            return line[:-1] + b', "filler": "' + b"f" * max(0, size) + b'"}'
        if how == 6:
            odd = draw.choice(ODD_JSON)
            return line[:-1] + b', "odd": ' + odd + b"}"
        if how == 7:
            return b"{" + draw.choice(ODD_JSON) + b": 1, " + line[1:]
        return line[:at] + line[at + 1 : at + 2] + line[at : at + 1] + line[at + 2 :]
