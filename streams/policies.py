"""The topic ``hearthwatch.policies``: policies with their catalogues, in the order of their activation.

It has one partition and is kept for ever. The broker puts activations in an order and so numbers them: the
one at offset n is number n + 1, also where two are sent at once, and one whose sender was interrupted is
there whole or not at all. One that holds the same two files as the one before it changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from streams.errors import LedgerError

POLICIES: Final = "hearthwatch.policies"

#: The policy and catalogue languages that this program understands. Raised whenever a file could mean
#: something else than before, or could not be read by the program before.
LANGUAGE: Final = 1

#: Of both files together, as they are.
MAX_BYTES: Final = 8_388_608


class NotUnderstoodError(LedgerError):
    """An activated policy is beyond this program: it may not go on by guessing."""


class Files(msgspec.Struct, array_like=True, frozen=True):
    """The value of a record: both files byte for byte, and what they were called.

    ``language`` is :data:`LANGUAGE` of the program that activated them.
    """

    language: int
    policy: bytes
    policy_name: str
    catalog: bytes
    catalog_name: str

    @property
    def digest(self) -> str:
        """24 hex digits: 12 of the policy's SHA-256, then 12 of the catalogue's."""
        return _sha256(self.policy)[:12] + _sha256(self.catalog)[:12]


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation.

    Attributes:
        number: from 1, in the order of the topic.
        received: the record's timestamp, in microseconds since 1970.
    """

    number: int
    received: int
    files: Files = field(repr=False)
    digest: str

    def check_language(self) -> None:
        """Refuse what only a later program knows how to read.

        Raises:
            NotUnderstoodError: it was activated by such a program.
        """
        if self.files.language > LANGUAGE:
            raise NotUnderstoodError(
                f"activation {self.number} ({self.files.policy_name}) needs policy language"
                f" {self.files.language}, this program knows {LANGUAGE}: run the newer program"
            )


_decode = msgspec.msgpack.Decoder(Files).decode
encode_files = msgspec.msgpack.Encoder().encode


def activations(
    records: Iterable[tuple[int, bytes | None, int]], after: Activation | None = None
) -> list[Activation]:
    """Activations out of records, without those that repeat the one before.

    Args:
        records: (offset, value, timestamp in milliseconds), in the order of the topic.
        after: the one before them.

    Raises:
        NotUnderstoodError: a record is none that this program knows.
    """
    found = []
    for offset, value, timestamp_ms in records:
        try:
            files = _decode(value or b"")
        except msgspec.DecodeError as error:
            raise NotUnderstoodError(
                f"the record at offset {offset} of {POLICIES} is none that this program knows:"
                " run the newer program"
            ) from error
        if after is None or files.digest != after.digest:
            after = Activation(offset + 1, timestamp_ms * 1000, files, files.digest)
            found.append(after)
    return found


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
