"""Points by bounds, and fading (policy.md, 3)."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.bounds import Table, faded
from rules.calendar import NEVER
from rules.expression import Amount
from rules.policy import Points

bounds = st.lists(
    st.tuples(st.fractions(-50, 50, max_denominator=8), st.integers(-30, 30)), min_size=1, max_size=5
)


def by_definition(pairs: list[tuple[Fraction, int]], at_least: bool, measure: Fraction) -> int:
    """Greatest bound <= measure, or smallest bound >= measure; of equal bounds the first in the file."""
    if at_least:
        fitting = [bound for bound, _ in pairs if bound <= measure]
        chosen = max(fitting, default=None)
    else:
        fitting = [bound for bound, _ in pairs if bound >= measure]
        chosen = min(fitting, default=None)
    return 0 if chosen is None else next(points for bound, points in pairs if bound == chosen)


def table(pairs: list[tuple[Fraction, int]], at_least: bool, scale: int = 1) -> Table:
    amounts = tuple((Amount(number=bound), points) for bound, points in pairs)
    return Table(Points(at_least=at_least, bounds=amounts), {}, scale)


@given(bounds, st.booleans(), st.integers(-60, 60), st.integers(1, 9))
@settings(max_examples=400)
def test_the_nearest_bound_decides(
    pairs: list[tuple[Fraction, int]], at_least: bool, number: int, divisor: int
) -> None:
    made = table(pairs, at_least)
    assert made.whole(number) == by_definition(pairs, at_least, Fraction(number))
    assert made.fraction(number, divisor) == by_definition(pairs, at_least, Fraction(number, divisor))
    fen = table(pairs, at_least, scale=100)
    assert fen.whole(number) == by_definition(pairs, at_least, Fraction(number, 100))


@given(bounds, st.booleans(), st.integers(-60, 60))
@settings(max_examples=300)
def test_steps_to_change_is_never_too_late(
    pairs: list[tuple[Fraction, int]], at_least: bool, measure: int
) -> None:
    made = table(pairs, at_least)
    steps = made.steps_to_change(measure)
    for later in range(1, min(steps, 150)):
        assert made.whole(measure + later) == made.whole(measure)
    if steps == NEVER:
        assert made.is_settled(measure, 1) or made.whole(measure + 1000) == made.whole(measure)


def test_a_percentage_of_zero_is_greater_than_every_bound() -> None:
    pairs = [(Fraction(40), 8), (Fraction(60), 14)]
    assert table(pairs, True).infinite() == 14
    assert table(pairs, False).infinite() == 0


@given(st.integers(-40, 40).filter(bool), st.integers(0, 30), st.integers(1, 60), st.integers(0, 120))
@settings(max_examples=400)
def test_points_fade_by_the_day_and_the_next_change_is_known(
    points: int, after: int, over: int, n: int
) -> None:
    def by_definition(days: int) -> int:
        if days <= after:
            return points
        exact = Fraction(points * max(0, over - (days - after)), over)
        return int(exact)  # towards zero

    value, next_day = faded(points, 1000, 1000 + n, (after, over))
    assert value == by_definition(n)
    change = next((later for later in range(n + 1, 400) if by_definition(later) != value), None)
    assert next_day == (NEVER if change is None else 1000 + change)
