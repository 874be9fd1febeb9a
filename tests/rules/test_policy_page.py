"""docs/reference/policy.md stays true: its example is a policy, and it names every key of the reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules.expression_text import ROLES, SEXES
from rules.indicator_file import _ALL, _REQUIRED
from rules.measure_file import MEASURE_KEYS
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")


def test_the_example_is_a_good_policy() -> None:
    catalog = read_catalog(ROOT / "streams" / "catalogs" / "wuchang.yaml")
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    policy = read_policy("example.yaml", catalog, example.encode())
    assert len(policy.indicators) == 5


def test_the_example_has_every_key_of_an_indicator() -> None:
    for key in {*_REQUIRED, *_ALL, *MEASURE_KEYS, "times"}:
        assert re.search(rf"\b{key}:", PAGE), key


@pytest.mark.parametrize(
    "word", [*_REQUIRED, *_ALL, "times", "after", "over", "at_least", "at_most", *ROLES, *SEXES]
)
def test_every_word_of_the_language_is_explained(word: str) -> None:
    assert re.search(rf"`[^`\n]*\b{word}\b[^`\n]*`", PAGE), word
