"""A share with how sure it is."""

from __future__ import annotations

from math import sqrt
from typing import Final

import msgspec

FEW: Final = 10
"""Below so many cases a share says little; it is shown faint."""
_Z95: Final = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


class Rate(msgspec.Struct, frozen=True):
    """So many of so many.

    Attributes:
        hits, of: numerator and denominator, in cases.
        share: 0 to 1; None where there is no case.
        low, high: the 95 % interval of the share, by :func:`wilson`; 0 and 1 where there is no case.
    """

    hits: int
    of: int
    share: float | None
    low: float
    high: float

    @property
    def is_faint(self) -> bool:
        """Whether there are too few cases to judge by."""
        return self.of < FEW


def rate(hits: int, of: int) -> Rate:
    """The share ``hits / of``, with its interval."""
    low, high = wilson(hits, of)
    return Rate(hits, of, hits / of if of else None, low, high)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share, without continuity correction.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (158), 1927, pages 209-212. Unlike the usual interval around the share
    it stays between 0 and 1, and is not of length 0 at 0 of 3.

    Raises:
        ValueError: not 0 <= hits <= of.
    """
    if not 0 <= hits <= of:
        raise ValueError(f"expected 0 <= hits <= of, not {hits} of {of}")
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, _Z95 * _Z95
    centre = share + square / (2 * of)
    spread = _Z95 * sqrt(share * (1 - share) / of + square / (4 * of * of))
    scale = 1 + square / of
    # At either end the exact bound is the end itself, and rounding must not go past it.
    low = 0.0 if hits == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if hits == of else min(1.0, (centre + spread) / scale)
    return low, high
