"""Who answers for which community, and who has to wait."""

from __future__ import annotations

import pytest

from hearthwatch.api.access import MOST_FAILED, FailedTokens, narrowed

HERE = "420106003005"


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
