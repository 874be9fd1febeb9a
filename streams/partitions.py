"""Which partition a key belongs to: Kafka's own murmur2, as every Kafka client has it."""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_M: Final = 0x5BD1E995
_SEED: Final = 0x9747B28C


def murmur2(data: bytes) -> int:
    """MurmurHash2 of Kafka's Java client (``Utils.murmur2``), as an unsigned 32-bit number."""
    whole, rest = divmod(len(data), 4)
    h = _SEED ^ len(data)
    for k in struct.unpack_from(f"<{whole}I", data):
        k = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if rest:
        h = (h ^ int.from_bytes(data[whole * 4 :], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, where a topic has so many."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
