"""The place of a character inside a YAML scalar, and a fault shown with its source line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.errors import Fault
from streams.places import Places, render_faults
from streams.yamlfile import Node, read_yaml
from tests.rules.policy_texts import WHERE, edited, faults_of, unmarked


def value_of(text: str) -> Node:
    """The value under the key ``k`` of a YAML text."""
    _, root = read_yaml("f.yaml", text.encode())
    node = root.get("k")
    assert node is not None
    return node


@pytest.mark.parametrize(
    "text",
    [
        "k: ab ⟦x c",
        "k: 'ab ⟦x c'",
        'k: "ab ⟦x c"',
        "k: 'it''s ⟦x'",
        'k: "a \\"b\\" \\\\ ⟦x"',
        'k: "\\u4e2d\\x41\\U0001F600\\t ⟦x"',
        "k: 中文 ⟦x",
        "k: 😀 ⟦x",
        "other: {a: 1, 中: 2}\nk:    plain and\n   on the next\n   line ⟦x",
        "k: 'folds\n  here ⟦x'",
        "k: 'a paragraph\n\n  and ⟦x'",
        'k: "folds   \n  here ⟦x"',
        'k: "joins \\\n  here ⟦x"',
        "k: |\n  literal\n    deeper\n  line ⟦x\n",
        "k: |-\n\n   blank first\n   ⟦x\n",
        "k: >\n  folded\n  line ⟦x\n",
        "k: >-\n  folded\n\n  paragraph ⟦x\n",
        "k: &anchor 'ab ⟦x'",
        "{a: b, k: ab ⟦x}",
        "k: ab ⟦x # a comment",
        "k: a\r\n  b ⟦x\r\nj: 1\r\n",
        "\ufeffk: ab ⟦x",
    ],
)
def test_place_of_a_character(text: str) -> None:
    plain, places = unmarked(text.removeprefix("\ufeff"))
    node = value_of(plain)
    raw = ("\ufeff" if text.startswith("\ufeff") else "").encode() + plain.encode()
    assert Places(raw).inside(node.line, node.column, node.text, node.text.rindex("x")) == places[0]


def test_place_behind_the_last_character() -> None:
    node = value_of("k: 'ab'")
    assert Places(b"k: 'ab'").inside(node.line, node.column, node.text, 2) == (1, 7)


def test_a_spelling_that_is_not_followed_gives_the_scalar() -> None:
    """Line ends that YAML keeps as they are (U+2028) are not followed: the scalar's own place is given."""
    text = "k: 'a\u2028 b'"
    node = value_of(text)
    assert Places(text.encode()).inside(node.line, node.column, node.text, len(node.text) - 1) == (1, 4)


@settings(max_examples=200, deadline=None)
@given(
    st.text("ab '\"\\中😀\n\t#:-", min_size=1, max_size=60),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.integers(10, 80),
)
@example("a 'b' \"c\"", "'", 10)
def test_each_character_is_where_it_is_said_to_be(value: str, style: str | None, width: int) -> None:
    text = yaml.dump({"k": value}, default_style=style, width=width, allow_unicode=True)
    places = Places(text.encode())
    node = value_of(text)
    where = [places.inside(node.line, node.column, node.text, index) for index in range(len(node.text))]
    assert where == sorted(where)
    if len(set(where)) < len(where) and len(set(where)) == 1:
        return  # not followed: every character is at the scalar
    for (line, column), character in zip(where, node.text, strict=True):
        found = places.line(line)[column - 1 : column]
        assert found == character or character in " \n\t" or found in "\\'\"", (text, line, column, character)


def test_each_spelling_of_an_expression_is_followed() -> None:
    """The property above may give up on odd texts, never on an expression."""
    value = "nights >= 3 and note == 'x' and not planned or ward in [\"general\", 'surgery'] and nights < 90"
    for style in (None, "'", '"', "|", ">"):
        for width in (20, 40, 200):
            text = yaml.dump({"k": value}, default_style=style, width=width)
            node = value_of(text)
            places = Places(text.encode())
            for index, character in enumerate(value):
                line, column = places.inside(node.line, node.column, node.text, index)
                found = places.line(line)[column - 1 : column]
                assert found == character or character == " " or found == "\\", (text, index)


@pytest.mark.parametrize(
    "where",
    [
        "where: \"note == 'x' and ⟦plannd\"",
        "where: 'note == ''x'' and ⟦plannd'",
        'where: "note == \\"x\\" and ⟦plannd"',
        "where: note == 'x'\n      and nights > 1\n      and ⟦plannd",
        "where: >-\n      note == 'x' and\n      nights > 1 and ⟦plannd",
        "where: |\n      note == '中文' and\n        ⟦plannd",
    ],
)
def test_fault_inside_each_way_to_write_an_expression(where: str) -> None:
    text, places = unmarked(edited((WHERE, where)))
    assert [(fault.line, fault.column) for fault in faults_of(text)] == places


def test_fault_with_its_source_line() -> None:
    raw = b"policy: x\nindicators:\n  - dimension: helth\n"
    fault = Fault("rules/policies/x.yaml", 3, 16, "unknown dimension `helth`", "did you mean `health`?")
    assert render_faults([fault], raw) == (
        "rules/policies/x.yaml:3:16: unknown dimension `helth`\n"
        " 3 |   - dimension: helth\n"
        "   |                ^ did you mean `health`?"
    )


def test_the_caret_stands_under_wide_characters_and_tabs() -> None:
    shown = render_faults([Fault("f", 1, 6, "wrong")], "健康:\té x".encode())
    assert shown.splitlines()[1:] == [" 1 | 健康:\té x", "   |      \t ^"]


def test_a_long_line_is_cut_around_the_fault() -> None:
    line = "x" * 500 + "!" + "y" * 500
    shown = render_faults([Fault("f", 1, 501, "wrong")], line.encode()).splitlines()
    assert all(len(one) <= 120 for one in shown)
    assert shown[1][shown[2].index("^")] == "!"


def test_a_source_line_cannot_steer_the_terminal() -> None:
    shown = render_faults([Fault("f", 1, 1, "wrong")], "a\x1b[2Jb\u202e".encode())
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_fault_past_the_end_of_the_file() -> None:
    assert render_faults([Fault("f", 9, 1, "wrong")], b"a: 1\n").splitlines()[1] == " 9 |"
