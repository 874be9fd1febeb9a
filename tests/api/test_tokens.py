"""The token file: what it holds, and who gets in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from casework.cases.commands import Actor
from hearthwatch.tokens import TokenBook, add_token, read_tokens, revoke_token
from streams.errors import InputError

NOW = 1_790_000_000.0
COMMUNITY = "420106003005"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_a_token_is_found_by_its_text_and_by_nothing_else(path: Path) -> None:
    text, token = add_token(path, "anna", "community", [COMMUNITY], days=30, now=NOW)
    book = TokenBook(path)
    assert book.find(text, NOW) == token
    assert token.actor == Actor("anna", "community", (COMMUNITY,))
    for other in (
        "",
        "x",
        text[:-1],
        text + "a",
        text.swapcase(),
        f"hw_{token.id}_",
        f"hw_{token.id}",
        "hw__",
        "é",
    ):
        assert book.find(other, NOW) is None, other


def test_the_file_holds_no_token_and_is_its_owners_alone(path: Path) -> None:
    text, token = add_token(path, "anna", "community", [COMMUNITY], days=30, now=NOW)
    written = path.read_text("utf-8")
    assert text.split("_", 2)[2] not in written
    assert token.sha256 in written
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_token_ends_with_its_time(path: Path) -> None:
    text, token = add_token(path, "anna", "community", [COMMUNITY], days=1, now=NOW)
    book = TokenBook(path)
    assert book.find(text, NOW + 86_399) == token
    assert book.find(text, NOW + 86_400) is None
    assert not book.holds(token, NOW + 86_400)


def test_what_changes_in_the_file_holds_at_once(path: Path) -> None:
    text, token = add_token(path, "anna", "community", [COMMUNITY], days=30, now=NOW)
    book = TokenBook(path)
    later, _ = add_token(path, "li", "street", [COMMUNITY[:9]], days=30, now=NOW)
    assert book.find(later, NOW) is not None
    revoke_token(path, token.id)
    assert not book.holds(token, NOW)
    assert book.find(text, NOW) is None
    assert book.find(later, NOW) is not None


def test_a_file_that_became_faulty_lets_nobody_in_until_it_is_mended(path: Path) -> None:
    text, token = add_token(path, "anna", "community", [COMMUNITY], days=30, now=NOW)
    good = path.read_bytes()
    book = TokenBook(path)
    path.write_bytes(good[:-5])
    assert book.find(text, NOW) is None
    assert book.fault is not None
    assert str(path) in book.fault
    path.write_bytes(good)
    assert book.find(text, NOW) == token
    assert book.fault is None


def test_a_faulty_file_is_named_at_the_start(path: Path) -> None:
    path.write_text('{"format": 1, "tokens": [{"id": "x"}]}')
    with pytest.raises(InputError, match=r"tokens\.json: is no token file .*\$\.tokens\[0\]"):
        TokenBook(path)
    path.write_text('{"format": 2, "tokens": []}')
    with pytest.raises(InputError, match="format 2"):
        read_tokens(path)


@pytest.mark.parametrize(
    ("role", "codes", "said"),
    [
        ("community", [], "needs at least one code of 12 digits"),
        ("community", [COMMUNITY[:9]], "takes codes of 12 digits, not 420106003"),
        ("street", [COMMUNITY], "takes codes of 9 digits"),
        ("district", ["42010"], "takes codes of 6 digits"),
        ("policy", ["420106"], "sees no households"),
        ("auditor", [], "needs at least one code of 6 or 9 or 12 digits"),
        ("community", ["４２０１０６００３００５"], "takes codes of 12 digits"),
    ],
)
def test_a_role_has_the_codes_that_belong_to_it(path: Path, role: str, codes: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        add_token(path, "anna", role, codes, days=30, now=NOW)  # type: ignore[arg-type]
    assert not path.exists()


def test_codes_are_checked_in_the_file_too(path: Path) -> None:
    add_token(path, "anna", "community", [COMMUNITY], days=30, now=NOW)
    content = json.loads(path.read_text("utf-8"))
    content["tokens"][0]["communities"] = ["420106"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="takes codes of 12 digits"):
        read_tokens(path)


def test_who_is_not_there_cannot_be_revoked(path: Path) -> None:
    with pytest.raises(InputError, match="has no token 00000000"):
        revoke_token(path, "00000000")
