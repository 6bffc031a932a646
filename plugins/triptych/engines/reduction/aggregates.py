"""What `amount:sum` and its like ask for of a group's values, which are given part by part, in any order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from triptych.engines.reduction.decimals import ZERO, mean_of, total

Value: TypeAlias = Any
"""A Decimal or a text: all values of a column are the one, or all are the other, and so compare."""
_FORM = re.compile(
    r"(?P<column>.+):(?P<function>count|sum|mean|min|max|distinct|top)(?P<most>[1-9][0-9]*)?(?P<text>:text)?"
)


@dataclass(frozen=True)
class Aggregate:
    """`function` of the column's values; `most` is how many `top` shows. Without a column it counts rows."""

    column: str
    function: str
    most: int
    is_text: bool

    @classmethod
    def of(cls, said: str) -> Aggregate:
        """`count`, or `column:function`: `amount:sum`, `amount:top3`, `day:min:text`. The schema checks the form."""
        match = _FORM.fullmatch(said)
        if match is None:
            return cls("", "count", 0, is_text=True)
        function = match["function"]
        is_text = bool(match["text"]) or function in ("count", "distinct")
        return cls(match["column"], function, int(match["most"] or 0), is_text=is_text)

    @property
    def title(self) -> str:
        """Of its column in the output: `count`, `amount_sum`, `amount_top3`."""
        most = str(self.most) if self.most else ""
        return f"{self.column}_{self.function}{most}" if self.column else "count"


class GroupValues:
    """Of one group and one column: what its aggregates need, in memory of as many values as `top` shows."""

    def __init__(self, aggregates: Sequence[Aggregate]) -> None:
        functions = {each.function for each in aggregates}
        self._has_sum = bool(functions & {"sum", "mean"})
        self._has_ends = bool(functions & {"min", "max"})
        self._most = max((each.most for each in aggregates), default=0)
        self._count = 0
        self._sum = ZERO
        self._ends: list[Value] = []
        self._top: list[Value] = []

    def add(self, values: Sequence[Value]) -> None:
        """Some more of them, none of them empty."""
        if not values:
            return
        self._count += len(values)
        if self._has_sum:
            self._sum = total([self._sum, *values])
        if self._has_ends:
            self._ends = [min([*self._ends, *values]), max([*self._ends, *values])]
        if self._most:
            self._top = sorted([*self._top, *values], reverse=True)[: self._most]

    def read(self, aggregate: Aggregate) -> Value:
        """None where there is no value, but for `count`, which is 0, and `top`, which is empty."""
        if aggregate.function == "count":
            return self._count
        if aggregate.function == "top":
            return self._top[: aggregate.most]
        if not self._count:
            return None
        if aggregate.function == "mean":
            return mean_of(self._sum, self._count)
        if aggregate.function == "sum":
            return self._sum
        return self._ends[0 if aggregate.function == "min" else 1]
