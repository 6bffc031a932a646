"""Numbers as they are written, added without rounding: whole ones of any size, and 0.1 as 0.1."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from functools import reduce

MOST_DIGITS = 300
"""Of a number as it is written, and of it without an exponent in front of its point: means are floats, then."""
MOST_PLACES = 700
"""Behind the point. The smallest float is 5e-324."""
_EXACT = Context(prec=MOST_DIGITS + 2 * MOST_PLACES, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact, InvalidOperation])
"""No sum of fewer than 10 ** 100 such numbers has more digits."""
ZERO = Decimal(0)


def is_in_bounds(text: str) -> bool:
    """Whether what reads as a number has no more digits than sums take: 1e300 has, and 1e301 has not."""
    number = Decimal(text)
    places = number.as_tuple().exponent
    return isinstance(places, int) and places >= -MOST_PLACES and number.adjusted() <= MOST_DIGITS


def total(numbers: Iterable[Decimal]) -> Decimal:
    """Their exact sum: 0.1, 0.2 -> 0.3."""
    return reduce(_EXACT.add, numbers, ZERO)


def mean_of(sum_of_all: Decimal, count: int) -> float:
    """The float that is nearest to the exact mean."""
    return float(Fraction(sum_of_all) / count)


def digits_of(number: Decimal) -> str:
    """Without an exponent, and without zeros at the end: 3.00 -> 3, 1E+2 -> 100, -0.0 -> 0."""
    return format(_EXACT.normalize(number), "f") if number else "0"
