"""What a whole run takes first, and together, is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.turns import FIRST, TOGETHER, turn, unit

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", [*TOGETHER, *FIRST])
def test_each_file_and_folder_that_is_named_exists(name: str) -> None:
    assert (ROOT / name).is_dir() == name.endswith("/")
    assert (ROOT / name).exists()


def test_no_place_stands_behind_one_that_holds_it_already() -> None:
    assert [turn(name) for name in FIRST] == list(range(len(FIRST)))


def test_a_folder_with_a_town_is_one_unit_and_comes_in_one_piece() -> None:
    assert (
        unit("tests/api/test_live.py::test_a")
        == unit("tests/api/test_roles.py::test_b[x::y]")
        == "tests/api/"
    )
    assert unit("tests/rules/test_levels.py::test_a[b::c]") == "tests/rules/test_levels.py"
    for folder in TOGETHER:
        assert len({turn(str(path.relative_to(ROOT))) for path in (ROOT / folder).rglob("test_*.py")}) == 1
