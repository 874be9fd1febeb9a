"""Who answers for which community, and who has to wait."""

from __future__ import annotations

import pytest

from hearthwatch.api.access import MOST_FAILED, FailedTokens, narrowed
from hearthwatch.desk import is_in

HERE = "420106003005"


@pytest.mark.parametrize(
    ("community", "codes", "expected"),
    [
        (HERE, (HERE,), True),
        (HERE, ("420106003",), True),
        (HERE, ("420106",), True),
        (HERE, ("420106003006",), False),
        (HERE, ("420106004", "420107"), False),
        (HERE, (), False),
        (None, ("420106",), True),
        (None, ("420106003",), False),
        (None, (HERE,), False),
        (None, (), False),
    ],
)
def test_a_community_is_theirs_who_have_its_code_or_the_beginning_of_it(
    community: str | None, codes: tuple[str, ...], expected: bool
) -> None:
    assert is_in(community, codes) is expected


@pytest.mark.parametrize(
    ("codes", "wanted", "expected"),
    [
        (("420106",), None, ("420106",)),
        (("420106",), HERE, (HERE,)),
        ((HERE, "420106003006", "420106004001"), "420106003", (HERE, "420106003006")),
        ((HERE,), "420106003006", ()),
        ((HERE,), "42", (HERE,)),
        ((), HERE, ()),
    ],
)
def test_what_is_asked_for_never_widens_what_is_theirs(
    codes: tuple[str, ...], wanted: str | None, expected: tuple[str, ...]
) -> None:
    assert narrowed(codes, wanted) == expected


def test_too_many_failed_tokens_of_one_address_have_to_wait_and_others_do_not() -> None:
    failed = FailedTokens()
    assert [failed.another("a", 100.0 + n) for n in range(MOST_FAILED)] == [None] * MOST_FAILED
    assert failed.another("a", 130.0) == 30.0
    assert failed.another("b", 130.0) is None
    assert failed.another("a", 160.0) is None  # a new minute


def test_only_so_many_addresses_are_remembered() -> None:
    failed = FailedTokens()
    for n in range(12_000):
        failed.another(f"address-{n}", 0.0)
    assert len(failed._counts) == 10_000
