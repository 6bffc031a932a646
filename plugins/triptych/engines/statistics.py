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

_MOST_TERMS = 1024


class Total:
    """A sum of numbers, or of arrays."""

    def __init__(self) -> None:
        self._whole = 0
        self._terms: list[float] = []
        self._sum: Any = None
        self._lost: Any = None

    def add(self, value: Any) -> None:
        if isinstance(value, int | float):
            self.add_numbers([value])
        else:
            self._add_array(value)

    def add_numbers(self, values: Sequence[float]) -> None:
        self._whole += sum(value for value in values if isinstance(value, int))
        self._terms += [value for value in values if isinstance(value, float)]
        if len(self._terms) >= _MOST_TERMS:
            self._terms = _expansion(self._terms)

    def read(self) -> Any:
        """An int, a float or an array."""
        if self._sum is not None:
            return self._sum + self._lost
        return float(self.exact()) if self._terms else self._whole

    def exact(self) -> Fraction:
        """Of single numbers."""
        return self._whole + sum(map(Fraction, self._terms), Fraction(0))

    def over(self, divisor: Fraction) -> Any:
        """The sum divided, rounded once; None when there is nothing to divide by."""
        if not divisor:
            return None
        return self.read() / float(divisor) if self._sum is not None else float(self.exact() / divisor)

    def _add_array(self, value: Any) -> None:
        import numpy as np

        if self._sum is None:
            self._sum, self._lost = np.zeros_like(value), np.zeros_like(value)
        total = self._sum + value
        larger = np.abs(self._sum) >= np.abs(value)
        self._lost += np.where(larger, (self._sum - total) + value, (value - total) + self._sum)
        self._sum = total


def _expansion(terms: Sequence[float]) -> list[float]:
    """A few numbers with exactly the same sum: each is what rounding the sum has left so far."""
    found: list[float] = []
    while rest := math.fsum([*terms, *(-each for each in found)]):
        found.append(rest)
    return found


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

    def add(self, value: Any, weight: float | None) -> None:
        """A number, or a float64 array of the shape of those before."""
        import numpy as np

        self._count += 1
        if {"sum", "mean"} & {*self._operations}:
            self._total.add(value)
        if weight is not None:
            self._weighted.add(value * weight)
            self._weights.add(weight)
        low, high = (np.minimum, np.maximum) if self.shape else (min, max)
        self._low = value if self._low is None else low(self._low, value)
        self._high = value if self._high is None else high(self._high, value)
        if self._edges is not None:
            self._add_to_bins(value)

    def add_numbers(self, values: Sequence[float], weights: Sequence[float] | None) -> None:
        """Finite numbers, at least one."""
        self.shape = ()
        self._count += len(values)
        if {"sum", "mean"} & {*self._operations}:
            self._total.add_numbers(values)
        if weights is not None:
            self._weighted.add_numbers(list(map(mul, values, weights)))
            self._weights.add_numbers(weights)
        self._low = min(values) if self._low is None else min(self._low, min(values))
        self._high = max(values) if self._high is None else max(self._high, max(values))
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


def all_finite(values: Sequence[Any]) -> bool:
    """Whether all are numbers (truth values are none), and none is infinite."""
    kinds = set(map(type, values))
    return kinds <= {int, float} and (float not in kinds or all(map(math.isfinite, values)))


def plain(value: Any) -> Any:
    """As JSON has it: NumPy's numbers and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value
