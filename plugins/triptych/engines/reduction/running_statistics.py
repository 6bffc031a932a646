"""Running statistics of numbers, or of arrays of one shape item by item, in memory of one array per statistic.

Rounding: counts are exact. Sums of single numbers are exact until they are read, and then rounded once to a float;
whole numbers stay whole. Means divide that exact sum; weighted means round each product first. Arrays are float64,
summed with Neumaier's compensation, whose error does not grow with the number of records. Variances of numbers are
exact and then rounded once; those of arrays run record by record. So nothing depends on how records were cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from operator import mul
from typing import Any, TypeAlias

import numpy as np

from triptych.engines.arrays.aliases import Floats
from triptych.engines.arrays.numbers import Numbers

Number: TypeAlias = int | float
_UNIT_EXPONENT = -1126
"""Every float is a whole number of 2 to this: the smallest is 0.5 * 2 ** -1073, and fractions have 53 bits."""
_FRACTION_BITS, _LOW_BITS = 53, 26
SPREADS = ("variance", "standard_deviation", "standard_error")
"""Operations that look at how far values are from their mean."""


class ExactSum:
    """Of ints, and of finite floats, with no rounding until it is read."""

    def __init__(self) -> None:
        self._whole = self._units = 0
        self._has_floats = False

    def add(self, values: Numbers) -> None:
        """Finite ints and floats: a list of both, or an int64 or float64 vector."""
        if isinstance(values, list):
            self._whole += sum(value for value in values if isinstance(value, int))
            self._add_floats([value for value in values if isinstance(value, float)])
        elif values.dtype.kind == "i":
            # In two halves of 32 bits, as the sum of a vector of int64 has no more than 64.
            whole = values.astype(np.int64, copy=False)
            self._whole += (int((whole >> 32).sum()) << 32) + int((whole & 0xFFFFFFFF).sum())
        else:
            self._add_floats(values)

    def _add_floats(self, values: Numbers) -> None:
        if len(values):
            self._units += _units(np.asarray(values, np.float64))
            self._has_floats = True

    def read(self) -> Number:
        """Rounded once to a float; an int when there were ints only."""
        return float(self.exact()) if self._has_floats else self._whole

    def exact(self) -> Fraction:
        """The sum itself: 0.5 and 1 -> 3/2."""
        return self._whole + Fraction(self._units, 1 << -_UNIT_EXPONENT)

    def over(self, divisor: Fraction) -> float | None:
        """The exact sum divided, rounded once; None when the divisor is 0."""
        return float(self.exact() / divisor) if divisor else None


def _units(values: Floats) -> int:
    """The exact sum of finite floats, fewer than 2 ** 26 of them, in units of 2 ** _UNIT_EXPONENT.

    A float is fraction * 2 ** exponent, and its fraction, in [0.5, 1), is a whole number of 53 bits over 2 ** 53. These
    whole numbers are added by exponent, with a vector's float64, which is exact up to 2 ** 53: so in two halves, of 27
    and 26 bits, of which 2 ** 26 fit. [0.75, 0.5, 3.0] has the fractions [0.75, 0.5, 0.75] and the exponents [0, 0, 2],
    which are added to 1.25 * 2 ** 53 of exponent 0 and 0.75 * 2 ** 53 of exponent 2; Python's integers then add what
    these are in units: (1.25 + 0.75 * 4) * 2 ** 53 = 4.25 * 2 ** 53, shifted by 1126 - 53 bits.
    """
    fractions, exponents = np.frexp(values)
    whole = np.ldexp(fractions, _FRACTION_BITS)
    high = np.floor(np.ldexp(whole, -_LOW_BITS))
    low = whole - np.ldexp(high, _LOW_BITS)
    least = int(exponents.min())
    above_least = exponents - least
    highs, lows = np.bincount(above_least, high), np.bincount(above_least, low)
    shift = least - _FRACTION_BITS - _UNIT_EXPONENT
    used = np.flatnonzero((highs != 0) | (lows != 0)).tolist()
    return sum(((int(highs[bits]) << _LOW_BITS) + int(lows[bits])) << (bits + shift) for bits in used)


class ExactSquares:
    """The sum of the squares of ints, and of finite floats, with no rounding."""

    def __init__(self) -> None:
        self._floats, self._rest = ExactSum(), Fraction(0)

    def add(self, values: Numbers) -> None:
        """A list, or a vector, as `ExactSum.add` takes them."""
        if isinstance(values, list) or values.dtype.kind == "i":
            self._rest += sum(value * value for value in as_json(values) if isinstance(value, int))
            values = np.array([value for value in as_json(values) if isinstance(value, float)], np.float64)
        sizes = np.abs(values)
        is_plain = (values == 0) | ((sizes > _LEAST_PLAIN) & (sizes < _MOST_PLAIN))
        self._rest += sum((Fraction(value) ** 2 for value in values[~is_plain].tolist()), Fraction(0))
        high, low = halves(values[is_plain])
        for squares in (high * high, 2 * high * low, low * low):
            self._floats.add(squares)

    def exact(self) -> Fraction:
        """The sum itself."""
        return self._floats.exact() + self._rest


_LEAST_PLAIN, _MOST_PLAIN = 2.0**-450, 2.0**500
"""Between them a float's halves have squares that are floats."""
_SPLITTER = 2.0**27 + 1


def halves(values: Floats) -> tuple[Floats, Floats]:
    """Floats of at most 26 bits each that add up to the values, so that products of two are exact (Dekker 1971)."""
    scaled = _SPLITTER * values
    high = scaled - (scaled - values)
    return high, values - high


def variance_of(total: Fraction, squares: Fraction, count: int) -> Fraction | None:
    """Of a sample, so over count - 1, exactly; None for fewer than two numbers."""
    return (squares - total * total / count) / (count - 1) if count > 1 else None


def root_of(value: Fraction | None) -> float | None:
    """The square root, rounded to a float at the end."""
    if value is None:
        return None
    return float(_ROOTS.sqrt(_ROOTS.divide(Decimal(value.numerator), Decimal(value.denominator))))


_ROOTS = Context(prec=50, Emin=MIN_EMIN, Emax=MAX_EMAX)


class RunningSpread:
    """Mean and sum of squared deviations of arrays, item by item, record by record (Welford 1962)."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: Floats = np.zeros(())
        self._deviations: Floats = np.zeros(())

    def add(self, value: Floats) -> None:
        """One more array."""
        self._count += 1
        away = value - self._mean
        self._mean = self._mean + away / self._count
        self._deviations = self._deviations + away * (value - self._mean)

    def variance(self) -> Floats | None:
        """Of a sample; None for fewer than two."""
        return self._deviations / (self._count - 1) if self._count > 1 else None


class CompensatedSum:
    """Of float64 arrays of one shape, item by item (Neumaier 1974): what rounding loses is summed beside."""

    def __init__(self) -> None:
        self._sum: Floats = np.zeros(())
        self._lost: Floats = np.zeros(())

    def add(self, value: Floats) -> None:
        """1e16, then 1.0: the sum stays 1e16, and 1.0 is lost, which `read` adds."""
        total = self._sum + value
        is_larger = np.abs(self._sum) >= np.abs(value)
        self._lost = self._lost + np.where(is_larger, (self._sum - total) + value, (value - total) + self._sum)
        self._sum = total

    def read(self) -> Floats:
        """The array of sums."""
        return self._sum + self._lost

    def over(self, divisor: Fraction) -> Floats | None:
        """The sums divided; None when the divisor is 0."""
        return self.read() / float(divisor) if divisor else None


class Statistics:
    """Of one field, numbers or arrays of one shape: what `operations` name.

    `edges` are (low, high, bins) of the histogram, if there is one.
    """

    def __init__(self, operations: Sequence[str], edges: tuple[float, float, int] | None) -> None:
        self._operations = operations
        self.shape: tuple[int, ...] | None = None
        self._count = 0
        self._numbers = ExactSum(), ExactSum()
        self._arrays: tuple[CompensatedSum, CompensatedSum] | None = None
        self._weights = ExactSum()
        self._low: Number | Floats | None = None
        self._high: Number | Floats | None = None
        self._histogram = None if edges is None else _Histogram(*edges)
        self._has_spread = bool(set(SPREADS) & set(operations))
        self._squares, self._spread = ExactSquares(), RunningSpread()

    def add_array(self, value: Floats, weight: float | None) -> None:
        """A float64 array of the shape of those before, all of its items finite or not."""
        self._arrays = total, weighted = self._arrays or (CompensatedSum(), CompensatedSum())
        self._count += 1
        total.add(value)
        if self._has_spread:
            self._spread.add(value)
        if weight is not None:
            weighted.add(value * weight)
            self._weights.add([weight])
        self._low = value if self._low is None else np.minimum(self._low, value)
        self._high = value if self._high is None else np.maximum(self._high, value)
        if self._histogram is not None:
            self._histogram.add(value)

    def add_numbers(self, values: Numbers, weights: Numbers | None) -> None:
        """Finite numbers, at least one, and as many weights or None; lists or vectors, as `as_vector` makes them."""
        self.shape = ()
        total, weighted = self._numbers
        self._count += len(values)
        total.add(values)
        if self._has_spread:
            self._squares.add(values)
        if weights is not None:
            weighted.add(list(map(mul, as_json(values), as_json(weights))))
            self._weights.add(weights)
        low, high = (min(values), max(values)) if isinstance(values, list) else (values.min(), values.max())
        self._low = as_json(low) if self._low is None else min(self._low, as_json(low))
        self._high = as_json(high) if self._high is None else max(self._high, as_json(high))
        if self._histogram is not None:
            self._histogram.add(np.asarray(values, np.float64))

    def read(self) -> dict[str, Any]:
        """By operation, as JSON has it; None for a mean of weights that add up to 0."""
        total, weighted = self._arrays or self._numbers
        values: Mapping[str, Any] = {
            "count": self._count,
            "sum": total.read(),
            "mean": total.over(Fraction(self._count)),
            "min": self._low,
            "max": self._high,
            "weighted_mean": weighted.over(self._weights.exact()),
            "histogram": None if self._histogram is None else self._histogram.read(),
            **(self._read_spread() if self._has_spread else {}),
        }
        return {name: as_json(values[name]) for name in self._operations if name in values}

    def _read_spread(self) -> Mapping[str, Any]:
        if self._arrays:
            of_arrays = self._spread.variance()
            if of_arrays is None:
                return dict.fromkeys(SPREADS)
            errors = np.sqrt(of_arrays / self._count)
            return dict(zip(SPREADS, (of_arrays, np.sqrt(of_arrays), errors), strict=True))
        found = variance_of(self._numbers[0].exact(), self._squares.exact(), self._count)
        return {
            "variance": found if found is None or "variance" not in self._operations else float(found),
            "standard_deviation": root_of(found),
            "standard_error": None if found is None else root_of(found / self._count),
        }


class _Histogram:
    """How many values are in each bin of equal width; the last one holds its upper edge."""

    def __init__(self, low: float, high: float, bins: int) -> None:
        self._low, self._high = low, high
        self._below = self._above = 0
        self._counts = np.zeros(bins, np.int64)

    def add(self, values: Floats) -> None:
        """Of any shape."""
        flat = values.ravel()
        inside = (flat >= self._low) & (flat <= self._high)
        self._counts += np.histogram(flat[inside], len(self._counts), (self._low, self._high))[0]
        self._below += int((flat < self._low).sum())
        self._above += int((flat > self._high).sum())

    def read(self) -> dict[str, Any]:
        return {"below": self._below, "counts": self._counts.tolist(), "above": self._above}


def all_finite(values: Numbers) -> bool:
    """Whether all are numbers (truth values are none), and none is infinite."""
    if not isinstance(values, list):
        return bool(np.isfinite(values).all())
    types = set(map(type, values))
    return types <= {int, float} and (float not in types or all(map(math.isfinite, values)))


def as_json(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's numbers and lists; others as they are."""
    return value.tolist() if hasattr(value, "tolist") else value
