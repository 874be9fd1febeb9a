"""The token file: who may use the HTTP API, in which role, for which communities.

It holds no token, only the SHA-256 of each: a token is 32 random bytes, so there is nothing to guess, and no
slower hash is needed. It is read again when it changes, so a token that was revoked is refused at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec

from casework.cases.commands import Actor, Code, Id, Role
from streams.errors import InputError
from streams.timestamps import format_timestamp, parse_timestamp

FORMAT: Final = 1
_PREFIX: Final = "hw"
_DIGITS: Final = {"community": (12,), "street": (9,), "district": (6,), "auditor": (6, 9, 12), "policy": ()}
"""Role -> how many digits its codes have."""
_OF_NO_TOKEN: Final = hashlib.sha256(b"").hexdigest()


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token.

    Attributes:
        id: stands in the token too; what logs and the audit log call it by.
        name: the person or program that it was given to: the actor of their commands.
        communities: codes whose households it opens: 12 digits, of a street 9, of a district 6.
        made, expires: UTC (RFC 3339).
        sha256: of the whole token, in hex.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]
    name: Id
    role: Role
    communities: tuple[Code, ...]
    made: str
    expires: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

    @property
    def actor(self) -> Actor:
        """Who sends commands with it."""
        return Actor(self.name, self.role, self.communities)

    def is_expired(self, now: float) -> bool:
        """Whether its time is over; ``now`` in seconds since 1970."""
        until = parse_timestamp(self.expires)
        return until is None or now * 1_000_000 >= until


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    tokens: tuple[Token, ...]


_decode = msgspec.json.Decoder(_File).decode


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a file; a file that is not there has none.

    Raises:
        InputError: it cannot be read, or is none; the text names the place.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: is no token file ({error}): take it from a backup or make one: `hearthwatch token add`"
        ) from None
    if found.format != FORMAT:
        raise InputError(f"{path}: has format {found.format}; this program reads format {FORMAT}")
    for number, token in enumerate(found.tokens):
        if parse_timestamp(token.expires) is None:
            raise InputError(f"{path}: $.tokens[{number}].expires is no time such as 2027-01-31T00:00:00Z")
        check_scope(token.role, token.communities)
    return found.tokens


def check_scope(role: Role, communities: Sequence[str]) -> None:
    """Whether a role can have these codes.

    Raises:
        InputError: it cannot; the text says what it needs.
    """
    digits = _DIGITS[role]
    if not digits and communities:
        raise InputError(f"the role {role} sees no households, so it has no communities: leave them out")
    if digits and not communities:
        raise InputError(f"the role {role} needs at least one code of {_or(digits)} digits")
    wrong = [
        code for code in communities if len(code) not in digits or not code.isascii() or not code.isdigit()
    ]
    if wrong:
        raise InputError(f"the role {role} takes codes of {_or(digits)} digits, not {', '.join(wrong)}")


def add_token(
    path: Path, name: str, role: Role, communities: Sequence[str], *, days: int, now: float | None = None
) -> tuple[str, Token]:
    """Make a token; the text that its owner shows is given here and kept nowhere.

    Args:
        days: until it expires.

    Raises:
        InputError: the role cannot have these codes, or the file cannot be read or written.
    """
    check_scope(role, communities)
    now = time.time() if now is None else now
    with _locked(path):
        tokens = read_tokens(path)
        taken = {one.id for one in tokens}
        id = next(id for id in iter(lambda: secrets.token_hex(4), "") if id not in taken)
        text = f"{_PREFIX}_{id}_{secrets.token_urlsafe(32)}"
        made, expires = (format_timestamp(int(at) * 1_000_000) for at in (now, now + days * 86_400))
        token = Token(id, name, role, tuple(dict.fromkeys(communities)), made, expires, _hashed(text))
        _write(path, (*tokens, token))
    return text, token


def revoke_token(path: Path, id: str) -> Token:
    """Take a token out of the file.

    Raises:
        InputError: there is none of this id.
    """
    with _locked(path):
        tokens = read_tokens(path)
        found = next((one for one in tokens if one.id == id), None)
        if found is None:
            raise InputError(f"{path}: has no token {id}: `hearthwatch token list` shows them")
        _write(path, tuple(one for one in tokens if one.id != id))
    return found


class TokenBook:
    """The tokens as they are now: the file is read again when it has changed.

    A file that became faulty closes the door: nobody gets in until it is mended.

    Raises:
        InputError: the file is faulty at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._tokens: dict[str, Token] = {}
        self.fault: str | None = None
        """Why the file cannot be read, or None."""
        self._refresh()
        if self.fault is not None:
            raise InputError(self.fault)

    def find(self, text: str, now: float) -> Token | None:
        """The token that was shown, if it is one and its time is not over.

        Takes the same time whether its id is known or not.
        """
        self._refresh()
        parts = text.split("_", 2)
        found = self._tokens.get(parts[1]) if len(parts) == 3 else None
        expected = _OF_NO_TOKEN if found is None else found.sha256
        is_it = hmac.compare_digest(_hashed(text), expected)
        return found if found is not None and is_it and not found.is_expired(now) else None

    def holds(self, token: Token, now: float) -> bool:
        """Whether a token that was found earlier still opens."""
        self._refresh()
        return self._tokens.get(token.id) == token and not token.is_expired(now)

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        except OSError:
            stamp = (0, 0, 0)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = {one.id: one for one in read_tokens(self._path)}
            self.fault = None
        except InputError as error:
            self._tokens = {}
            self.fault = str(error)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _or(digits: Sequence[int]) -> str:
    return " or ".join(map(str, digits))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One that changes the file at a time; in its folder, because the file itself is replaced."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{path}: its folder cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    """Replace the file in one step, so that whoever reads it sees the old or the new one; mode 0600."""
    raw = msgspec.json.format(msgspec.json.encode(_File(FORMAT, tokens)), indent=1) + b"\n"
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                os.chmod(name, path.stat().st_mode & 0o777)  # noqa: PTH101 - a name of mkstemp's
            os.replace(name, path)  # noqa: PTH105 - the same
        except BaseException:
            os.unlink(name)  # noqa: PTH108 - the same
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
