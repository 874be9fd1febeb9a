"""How many there are of something, in English words."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """Such as ``1 warning``, ``0 warnings`` and ``1,204 households``.

    Args:
        one: what it is called where there is one.
        many: what otherwise, where that is not the same with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
