"""Texts of a policy for people: one, or one a language."""

from __future__ import annotations

from typing import Final

from rules.policy import Titles
from streams.yamlfile import Node

LANGUAGES: Final = ("en", "zh")


def read_titles(node: Node | None, what: str) -> Titles:
    """A mapping of language to text; empty where it is missing or faulty."""
    if node is None or not node.mapping(what, optional=LANGUAGES):
        return {}
    texts = {key.text: value.string(f"{what} in `{key.text}`") for key, value in node.items()}
    return {language: text for language, text in texts.items() if text is not None}


def read_text(node: Node | None, what: str) -> str:
    """A text; empty where it is missing or faulty."""
    return (node.string(what) if node is not None else None) or ""
