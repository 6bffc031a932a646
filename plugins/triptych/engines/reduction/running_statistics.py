"""Running statistics of numbers, or of arrays of one shape item by item, in memory of one array per statistic.

Rounding: counts are exact. Sums of single numbers are exact until they are read, and then rounded once to a float;
whole numbers stay whole. Means divide that exact sum; weighted means round each product first. Arrays are float64,
summed with Neumaier's compensation, whose error does not grow with the number of records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from operator import mul
from typing import Any

_UNIT_EXPONENT = -1126
"""Every float is a whole number of 2 to this: the smallest is 0.5 * 2 ** -1073, and fractions have 53 bits."""
_FRACTION_BITS, _LOW_BITS = 53, 26


class Total:
    """A sum of numbers, or of arrays."""

    def __init__(self) -> None:
        self._whole = self._units = 0
        self._has_floats = False
        self._sum: Any = None
        self._lost: Any = None

    def add_numbers(self, values: Any) -> None:
        """Ints and floats in a list, or an int64 or float64 vector."""
        if not hasattr(values, "dtype"):
            self._whole += sum(value for value in values if isinstance(value, int))
            self._add_floats([value for value in values if isinstance(value, float)])
        elif values.dtype.kind == "i":
            low = values & 0xFFFFFFFF
            self._whole += (int((values >> 32).sum()) << 32) + int(low.sum())
        else:
            self._add_floats(values)

    def _add_floats(self, values: Any) -> None:
        if len(values):
            self._units += _units(values)
            self._has_floats = True

    def read(self) -> Any:
        """An int, a float or an array."""
        if self._sum is not None:
            return self._sum + self._lost
        return float(self.exact()) if self._has_floats else self._whole

    def exact(self) -> Fraction:
        """Of single numbers."""
        return self._whole + Fraction(self._units, 1 << -_UNIT_EXPONENT)

    def over(self, divisor: Fraction) -> Any:
        """The sum divided, rounded once; None when there is nothing to divide by."""
        if not divisor:
            return None
        return self.read() / float(divisor) if self._sum is not None else float(self.exact() / divisor)

    def add_array(self, value: Any) -> None:
        import numpy as np

        if self._sum is None:
            self._sum, self._lost = np.zeros_like(value), np.zeros_like(value)
        total = self._sum + value
        larger = np.abs(self._sum) >= np.abs(value)
        self._lost += np.where(larger, (self._sum - total) + value, (value - total) + self._sum)
        self._sum = total


def _units(values: Any) -> int:
    """The exact sum of finite floats, fewer than 2 ** 26 of them, in units of 2 ** _UNIT_EXPONENT.

    Their fractions are whole numbers of 53 bits, which are added by exponent, in two halves: no sum needs more bits
    than a float has.
    """
    import numpy as np

    fractions, exponents = np.frexp(np.asarray(values, np.float64))
    whole = np.ldexp(fractions, _FRACTION_BITS)
    high = np.floor(np.ldexp(whole, -_LOW_BITS))
    low = whole - np.ldexp(high, _LOW_BITS)
    least = int(exponents.min())
    places = exponents - least
    highs, lows = np.bincount(places, high), np.bincount(places, low)
    shift = least - _FRACTION_BITS - _UNIT_EXPONENT
    used = np.flatnonzero((highs != 0) | (lows != 0)).tolist()
    return sum(((int(highs[place]) << _LOW_BITS) + int(lows[place])) << (place + shift) for place in used)


class Statistics:
    """Of one field: what `operations` name. `edges` is (low, high, bins) of the histogram."""

    def __init__(self, operations: Sequence[str], edges: tuple[float, float, int] | None) -> None:
        self._operations, self._edges = operations, edges
        self.shape: tuple[int, ...] | None = None
        self._count = 0
        self._total, self._weighted, self._weights = Total(), Total(), Total()
        self._low: Any = None
        self._high: Any = None
        self._bins: Any = None

    def add_array(self, value: Any, weight: float | None) -> None:
        """A float64 array of the shape of those before."""
        import numpy as np

        self._count += 1
        self._total.add_array(value)
        if weight is not None:
            self._weighted.add_array(value * weight)
            self._weights.add_numbers([weight])
        self._low = value if self._low is None else np.minimum(self._low, value)
        self._high = value if self._high is None else np.maximum(self._high, value)
        if self._edges is not None:
            self._add_to_bins(value)

    def add_numbers(self, values: Any, weights: Any) -> None:
        """Finite numbers, at least one, and as many weights or None; lists or vectors, as `as_vector` makes them."""
        self.shape = ()
        self._count += len(values)
        self._total.add_numbers(values)
        if weights is not None:
            self._weighted.add_numbers(list(map(mul, plain(values), plain(weights))))
            self._weights.add_numbers(weights)
        low, high = (plain(values.min()), plain(values.max())) if hasattr(values, "min") else (min(values), max(values))
        self._low = low if self._low is None else min(self._low, low)
        self._high = high if self._high is None else max(self._high, high)
        if self._edges is not None:
            self._add_to_bins(values)

    def read(self) -> dict[str, Any]:
        values: Mapping[str, Any] = {
            "count": self._count,
            "sum": self._total.read(),
            "mean": self._total.over(Fraction(self._count)),
            "min": self._low,
            "max": self._high,
            "weighted_mean": self._weighted.over(self._weights.exact()),
            "histogram": self._histogram(),
        }
        return {name: plain(values[name]) for name in self._operations}

    def _add_to_bins(self, value: Any) -> None:
        import numpy as np

        assert self._edges is not None
        low, high, bins = self._edges
        if self._bins is None:
            self._bins = np.zeros(bins + 2, np.int64)
        values = np.atleast_1d(np.asarray(value, np.float64)).ravel()
        inside = (values >= low) & (values <= high)
        self._bins[1:-1] += np.histogram(values[inside], bins, (low, high))[0]
        self._bins[0] += int((values < low).sum())
        self._bins[-1] += int((values > high).sum())

    def _histogram(self) -> dict[str, Any] | None:
        if self._bins is None:
            return None
        counts = plain(self._bins)
        return {"below": counts[0], "counts": counts[1:-1], "above": counts[-1]}


def all_finite(values: Any) -> bool:
    """Whether all are numbers (truth values are none), and none is infinite."""
    import numpy as np

    if hasattr(values, "dtype"):
        return bool(np.isfinite(values).all())
    kinds = set(map(type, values))
    return kinds <= {int, float} and (float not in kinds or all(map(math.isfinite, values)))


def plain(value: Any) -> Any:
    """As JSON has it: NumPy's numbers and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value
