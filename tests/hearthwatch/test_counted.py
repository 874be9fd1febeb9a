"""One of something is not called many."""

from __future__ import annotations

import pytest

from hearthwatch.counted import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 warnings"), (1, "1 warning"), (2, "2 warnings"), (1204, "1,204 warnings")]
)
def test_a_count_has_its_word(number: int, said: str) -> None:
    assert counted(number, "warning") == said


def test_a_word_may_have_its_own_plural() -> None:
    assert [counted(number, "story is", "stories are") for number in (1, 2)] == [
        "1 story is",
        "2 stories are",
    ]
