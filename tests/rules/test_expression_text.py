"""Reading expressions (policy page, section 3, "Expressions"): grammar, precedence, trees."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.expression import Active, Both, Compare, Either, Expression, Flag, Name, Not, OneOf, PointsOf
from rules.expression_text import Known, Scope, read_condition
from rules.tokens import MOST_BRACKETS

FIELDS = {
    "planned": Known("boolean"),
    "urgent": Known("boolean"),
    "nights": Known("number"),
    "ward": Known("choice", ("general", "surgery")),
    "since": Known("date"),
    "note": Known("text"),
    "points": Known("number"),
    "active": Known("boolean"),
}
SCOPE = Scope(FIELDS, "field", {"ill": "person", "poor": "household", "odd": None})

Faults = list[tuple[int, str, str]]


def parse(text: str) -> tuple[Expression | None, Faults]:
    faults: Faults = []
    tree = read_condition(text, SCOPE, lambda at, message, hint: faults.append((at, message, hint)))
    assert (tree is None) == bool(faults)
    return tree, faults


def good(text: str) -> Expression:
    tree, faults = parse(text)
    assert tree is not None, faults
    return tree


P, U, A = Flag(Name("planned")), Flag(Name("urgent")), Flag(Name("active"))


def nights(operator: str, number: int | str) -> Compare:
    return Compare(Name("nights"), operator, Fraction(number))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("planned", P),
        ("not planned", Not(P)),
        ("not not planned", P),
        ("not not not planned", Not(P)),
        ("planned or urgent and active", Either(P, Both(U, A))),
        ("planned and urgent or active", Either(Both(P, U), A)),
        ("(planned or urgent) and active", Both(Either(P, U), A)),
        ("not planned and urgent", Both(Not(P), U)),
        ("not (planned and urgent)", Not(Both(P, U))),
        ("((planned))", P),
        ("not planned == true", Not(Compare(Name("planned"), "==", True))),
        ("nights >= 3", nights(">=", 3)),
        ("nights>=3and planned", Both(nights(">=", 3), P)),
        ("nights == -3", nights("==", -3)),
        ("nights == - 3", nights("==", -3)),
        ("nights < 1000.50", nights("<", "1000.50")),
        ("nights == 010", nights("==", 10)),
        ("3 <= nights", nights(">=", 3)),
        ("3 != nights", nights("!=", 3)),
        ("3 < nights < 5", Both(nights(">", 3), nights("<", 5))),
        ("nights > 3 < points", Both(nights(">", 3), Compare(Name("points"), ">", Fraction(3)))),
        ('ward == "surgery"', Compare(Name("ward"), "==", "surgery")),
        ("ward < 'surgery'", Compare(Name("ward"), "<", "surgery")),
        ("note >= 'it is \"x\" \\n'", Compare(Name("note"), ">=", 'it is "x" \\n')),
        ('note == "and"', Compare(Name("note"), "==", "and")),
        ("note == ''", Compare(Name("note"), "==", "")),
        ("since > '2024-02-29'", Compare(Name("since"), ">", "2024-02-29")),
        ("nights in [1, -2,3.5]", OneOf(Name("nights"), (Fraction(1), Fraction(-2), Fraction(7, 2)))),
        ("ward not in ['general']", OneOf(Name("ward"), ("general",), negated=True)),
        ("not ward in ['general']", Not(OneOf(Name("ward"), ("general",)))),
        ("planned in [true, false]", OneOf(Name("planned"), (True, False))),
        ("planned != false", Compare(Name("planned"), "!=", False)),
        ('active("ill")', Active("ill")),
        ("active('odd')", Active("odd")),
        ('not active ( "ill" )', Not(Active("ill"))),
        ("active", A),
        ("active == true", Compare(Name("active"), "==", True)),
        ('points("ill") >= 3', Compare(PointsOf("ill"), ">=", Fraction(3))),
        (
            '3 < points("ill") <= 9',
            Both(Compare(PointsOf("ill"), ">", Fraction(3)), Compare(PointsOf("ill"), "<=", Fraction(9))),
        ),
        ("points >= 3", Compare(Name("points"), ">=", Fraction(3))),
        ("\n planned\tor\r\n urgent ", Either(P, U)),
    ],
)
def test_tree(text: str, tree: Expression) -> None:
    assert good(text) == tree


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", 0, "the expression is empty"),
        ("   ", 3, "the expression is empty"),
        (
            "planned urgent",
            8,
            "expected a comparison, `and`, `or` or the end of the expression, found `urgent`",
        ),
        ("planned and", 11, "expected a name or a literal, found the end"),
        ("and planned", 0, "expected a name or a literal, found `and`"),
        ("(planned", 8, "expected `)` to close the bracket, found the end"),
        ("planned)", 7, "expected `and`, `or` or the end of the expression, found `)`"),
        ("()", 1, "expected a name or a literal, found `)`"),
        ("(nights) > 3", 9, "a bracket cannot be compared"),
        ("nights > (3)", 9, "expected a name or a literal, found `(`"),
        ("nights >", 8, "expected a name or a literal, found the end"),
        ("nights > > 3", 9, "expected a name or a literal, found `>`"),
        ("nights == not 3", 10, "expected a name or a literal, found `not`"),
        ("nights = 3", 7, "`=` is no operator"),
        ("nights === 3", 9, "`=` is no operator"),
        ("nights <> 3", 8, "expected a name or a literal, found `>`"),
        ("nights == +3", 10, "expected a name or a literal, found `+`"),
        ("nights == --3", 10, "a minus can only stand before a number"),
        ("nights == -points", 10, "a minus can only stand before a number"),
        ("nights + 1 > 3", 7, "expected a comparison, `and`, `or` or the end of the expression, found `+`"),
        ("nights == 3.", 11, "unexpected character `.`"),
        ("nights == .5", 10, "unexpected character `.`"),
        ("nights == 1e3", 11, "expected `and`, `or` or the end of the expression, found `e3`"),
        ("nights == ٣", 10, "unexpected character `٣`"),
        ("note == 'x", 8, "the text that begins here lacks its closing '"),
        ("nights in []", 11, "expected a literal in the list, found `]`"),
        ("nights in [1,]", 13, "expected a literal in the list, found `]`"),
        ("nights in [1 2]", 13, "expected `]` to close the list, found `2`"),
        ("nights in [points]", 11, "expected a literal in the list, found `points`"),
        ("nights in 3", 10, "expected `[` after `in`, found `3`"),
        ("nights not 3", 7, "expected a comparison, `and`, `or` or the end of the expression, found `not`"),
        ("nights in [1] == true", 14, "expected `and`, `or` or the end of the expression, found `==`"),
        ("3 in [3]", 2, "expected a comparison after `3`, found `in`"),
        ("points('ill') in [3]", 14, "expected a comparison after `points(..)`, found `in`"),
        ("points(ill) > 3", 7, "expected an indicator's id in quotes, found `ill`"),
        ("active('ill'", 12, "expected `)` after `active('ill'`, found the end"),
        ("active('ill') == true", 14, '`active("..")` cannot be compared'),
        ("true == active('ill')", 8, '`active("..")` cannot be compared'),
        ("age('ill')", 3, "expected a comparison, `and`, `or` or the end of the expression, found `(`"),
        ("nights > 1 and planned == ！", 26, "unexpected character `！`"),
    ],
)
def test_fault_of_grammar(text: str, at: int, message: str) -> None:
    _, faults = parse(text)
    assert (at, message) in [(place, said) for place, said, _ in faults], faults


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("planned AND urgent", "write `and`"),
        ("planned == True", ""),
        ("nights ＞ 3", "write `>`"),
        ("（planned）", "write `(`"),
        ("note == “x”", 'write `"`'),
        ("planned\u3000or urgent", "write a plain space"),
        ("planned && urgent", "write `and`"),
        ("planned || urgent", "write `or`"),
        ("nights = 3", "write `==` to compare"),
    ],
)
def test_hint(text: str, hint: str) -> None:
    _, faults = parse(text)
    assert hint in faults[-1][2]


def test_faults_before_an_odd_character_are_found_too() -> None:
    _, faults = parse("wrd == 'x' and nights == true and note ? 3")
    assert [at for at, _, _ in faults] == [0, 25, 39]


def test_a_fault_of_grammar_ends_the_reading_of_that_expression_alone() -> None:
    _, faults = parse("nights nights and unknown == 3")
    assert [at for at, _, _ in faults] == [7]


def test_long_chains_are_no_deep_trees() -> None:
    """Any number of `and`, `or` and `not` is good, and read without recursion by their number."""
    many = 5_000
    tree = good(" or ".join(["planned and urgent"] * many))
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for one in level if isinstance(one, Both | Either) for child in (one.left, one.right)]
    assert depth <= 16
    assert good("not " * many + "planned") == P


def test_deep_brackets_are_a_fault_not_a_crash() -> None:
    assert good("(" * MOST_BRACKETS + "planned" + ")" * MOST_BRACKETS) == P
    for depth in (MOST_BRACKETS + 1, 100_000):
        _, faults = parse("(" * depth + "planned" + ")" * depth)
        assert [(at, message) for at, message, _ in faults] == [
            (MOST_BRACKETS, f"brackets are nested more than {MOST_BRACKETS} deep")
        ]


def test_side_by_side_brackets_are_not_nested() -> None:
    good(" and ".join(["(planned)"] * (MOST_BRACKETS * 3)))


def test_numbers_of_absurd_length_are_a_fault() -> None:
    _, faults = parse("nights > " + "9" * 5_000)
    assert [(at, message) for at, message, _ in faults] == [(9, "a number has at most 400 digits")]


# A policy's own words, in any order: most are nonsense, and must be told apart without a crash.
WORDS = [
    *FIELDS,
    "and",
    "or",
    "not",
    "in",
    "true",
    "(",
    ")",
    "[",
    "]",
    ",",
    "==",
    "<",
    "-",
    "3",
    "'general'",
    '"ill"',
    "x",
    "=",
    "？",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_words_give_a_tree_or_faults_inside_the_text(text: str) -> None:
    tree, faults = parse(text)
    assert tree is not None or all(0 <= at <= len(text) and message for at, message, _ in faults)


def written(tree: Expression) -> str:
    """An expression's text, with all the brackets there can be."""
    match tree:
        case Flag(name):
            return name.name
        case Compare(operand, operator, literal):
            left = operand.name if isinstance(operand, Name) else f'points("{operand.indicator}")'
            return f"{left} {operator} {spelt(literal)}"
        case OneOf(name, values, negated):
            return f"{name.name} {'not ' * negated}in [{', '.join(map(spelt, values))}]"
        case Active(indicator):
            return f"active('{indicator}')"
        case Not(of):
            return f"not ({written(of)})"
        case Both(left, right):
            return f"({written(left)}) and ({written(right)})"
        case Either(left, right):
            return f"({written(left)}) or ({written(right)})"


def spelt(literal: Fraction | str | bool) -> str:
    if isinstance(literal, bool):
        return str(literal).lower()
    return f"'{literal}'" if isinstance(literal, str) else str(literal)


WHOLE = st.integers(-99, 99).map(Fraction)
OPERATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
TESTS = (
    st.sampled_from([P, U, A, Active("ill")])
    | st.builds(Compare, st.sampled_from([Name("nights"), PointsOf("ill")]), OPERATORS, WHOLE)
    | st.builds(
        OneOf, st.just(Name("nights")), st.lists(WHOLE, min_size=1, max_size=3).map(tuple), st.booleans()
    )
)

TREES = st.recursive(
    TESTS,
    lambda of: st.builds(Both, of, of) | st.builds(Either, of, of) | st.builds(Not, TESTS),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_written_then_read_is_the_same_tree(tree: Expression) -> None:
    assert good(written(tree)) == tree
