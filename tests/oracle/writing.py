"""YAML and JSON written in many of the ways in which the same thing can be written."""

from __future__ import annotations

import json
import re
from random import Random
from typing import TypeAlias

Node: TypeAlias = "str | list[Node] | dict[str, Node]"
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./ -]*[A-Za-z0-9_])?|-?[0-9]+(?:\.[0-9]+)?")


def yaml_text(node: Node, draw: Random, *, quoted: float = 0.05) -> bytes:
    """A YAML document; a share `quoted` of its plain scalars is put in quotes all the same."""
    text = "\n".join(_block(node, draw, 0, quoted)) + "\n"
    if draw.random() < 0.1:
        text = "# drawn at random\n---\n" + text
    if draw.random() < 0.05:
        text = text.replace("\n", "\r\n")
    return text.encode("utf-8")


def _scalar(text: str, draw: Random, quoted: float) -> str:
    if _PLAIN.fullmatch(text) and draw.random() >= quoted:
        return text
    if draw.random() < 0.5 and "\n" not in text:
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=False)


def _flow(node: Node, draw: Random, quoted: float) -> str:
    if isinstance(node, str):
        return _scalar(node, draw, quoted)
    if isinstance(node, list):
        return "[" + ", ".join(_flow(item, draw, quoted) for item in node) + "]"
    pairs = [f"{_scalar(key, draw, quoted)}: {_flow(value, draw, quoted)}" for key, value in node.items()]
    return "{" + ", ".join(pairs) + "}"


def _block(node: Node, draw: Random, depth: int, quoted: float) -> list[str]:
    pad = "  " * depth
    if isinstance(node, str) or not node:
        return [pad + _flow(node, draw, quoted)]
    lines: list[str] = []
    if isinstance(node, list):
        for item in node:
            if isinstance(item, dict) and item and draw.random() < 0.6:
                inner = _block(item, draw, depth + 1, quoted)
                lines.append(pad + "- " + inner[0].lstrip())
                lines.extend(inner[1:])
            else:
                lines.append(pad + "- " + _flow(item, draw, quoted))
        return lines
    for key, value in node.items():
        name = _scalar(key, draw, quoted)
        if isinstance(value, str) or not value or (depth > 0 and draw.random() < 0.6):
            lines.append(f"{pad}{name}: {_flow(value, draw, quoted)}")
        else:
            lines.append(f"{pad}{name}:")
            lines.extend(_block(value, draw, depth + 1, quoted))
        if draw.random() < 0.02:
            lines[-1] += "  # a remark"
    return lines


class Raw(str):
    """A piece of JSON text that is written as it stands (a number's own digits)."""

    __slots__ = ()


Writable: TypeAlias = "str | Raw | bool | list[tuple[str, Writable]] | None"


def json_text(value: Writable, draw: Random) -> str:
    """JSON text; an object is a list of pairs, so that a key can stand twice."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return _string(value, draw)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    space = " " if draw.random() < 0.8 else draw.choice(["", "  ", "\t", " \r "])
    written = [f"{_string(name, draw)}:{space}{json_text(item, draw)}" for name, item in value]
    return "{" + ("," + space).join(written) + "}"


def _string(text: str, draw: Random) -> str:
    how = draw.random()
    if how < 0.7:
        return json.dumps(text, ensure_ascii=False)
    if how < 0.95:
        return json.dumps(text)
    return '"' + "".join(_escaped(char, draw) for char in text) + '"'


def _escaped(char: str, draw: Random) -> str:
    units = char.encode("utf-16-be")
    codes = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    if draw.random() < 0.5:
        codes = [code.upper() for code in codes]
    return "".join(f"\\u{code}" for code in codes)
