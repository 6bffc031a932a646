"""Values as text, made into columns that order as text, numbers or dates do, exactly."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from triptych.engines.arrays.text_columns import by_unique, holds
from triptych.engines.runtime.resources import need
from triptych.engines.sorting.order import Direction
from triptych.engines.times.parsing import parse_iso8601
from triptych.errors import EngineError

WHOLE = r"^-?[0-9]+$"
LARGEST = int(sys.float_info.max)
BEYOND = 10**4300
"""Python reads no integer of more than 4300 digits."""


@dataclass(frozen=True)
class Column:
    """One of the columns that order, as `name`, `name:number` or `name:date:desc` say."""

    name: str
    kind: str
    direction: Direction

    @classmethod
    def of(cls, text: str) -> Column:
        name, *rest = text.split(":")
        kinds = [word for word in rest if word in KINDS]
        return cls(name, kinds[0] if kinds else "text", "descending" if "desc" in rest else "ascending")

    @property
    def directions(self) -> list[Direction]:
        """Of each array of its keys."""
        return [self.direction] * KINDS[self.kind][1]

    def keys(self, texts: Any, what: str, missing: str) -> list[Any]:
        """Arrays that order these large strings; an empty one is missing, and null in the first array."""
        pc = need("pyarrow.compute", "tables")
        lengths = pc.binary_length(texts)
        if pc.min(lengths).as_py() == 0:
            texts = pc.if_else(pc.greater(lengths, 0), texts, None)
        if texts.null_count and missing == "fail":
            msg = f"{what}: a record has no value in {self.name!r}. Say where those go: missing first or last."
            raise EngineError(msg)
        try:
            return KINDS[self.kind][0](texts)
        except _UnfitError as error:
            msg = (
                f"{what}: {str(error)[:60]!r} in {self.name!r} is no {self.kind}. Order it as text, or correct the app."
            )
            raise EngineError(msg) from error


class _UnfitError(ValueError):
    """Its text is the value that is none of its kind."""


def _text(texts: Any) -> list[Any]:
    """UTF-8 orders as code points do."""
    return [texts.cast(need("pyarrow", "tables").large_binary())]


def _numbers(texts: Any) -> list[Any]:
    """The largest float that is not above the number; and what is missing to it, as bytes that order as it does.

    So integers of any size and floats compare as the numbers that they are.
    """
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    try:
        integers = texts.cast(pa.int64())
        # Arrow reads hexadecimal numbers too.
        if not holds(texts, b"x", b"X"):
            return _of_integers(integers)
    except pa.ArrowInvalid:
        pass
    try:
        whole = pc.match_substring_regex(texts, WHOLE)
        floors, rests = _of_integers(pc.if_else(whole, texts, None).cast(pa.int64()))
        floats = pc.if_else(whole, None, texts).cast(pa.float64())
        if not pc.any(pc.is_nan(floats)).as_py():
            return [pc.coalesce(floors, floats), rests]
    except pa.ArrowInvalid:
        pass
    return [
        by_unique(texts, lambda text: _exact(text)[0], pa.float64()),
        pc.fill_null(by_unique(texts, lambda text: _exact(text)[1], pa.large_binary()), b""),
    ]


def _of_integers(integers: Any) -> list[Any]:
    import numpy as np

    pa = need("pyarrow", "tables")
    values = integers.fill_null(0).to_numpy(zero_copy_only=False)
    floors = values.astype(np.float64)
    if (np.abs(floors) < 2**53).all():
        rests = np.zeros(len(values), np.int64)
    else:
        # 2 ** 63 does not fit into an int64, which the largest are rounded to.
        above = (floors >= 2.0**63) | (np.where(floors < 2.0**63, floors, 0).astype(np.int64) > values)
        floors = np.where(above, np.nextafter(floors, -np.inf), floors)
        rests = values - floors.astype(np.int64)
    offsets = np.concatenate(([0], np.cumsum(np.where(rests > 0, 8, 0))))
    digits = rests[rests > 0].astype(">i8").tobytes()
    rest = pa.Array.from_buffers(
        pa.large_binary(), len(rests), [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(digits)]
    )
    return [pa.array(floors, mask=integers.is_null().to_numpy(zero_copy_only=False)), rest]


def _exact(text: str) -> tuple[float, bytes]:
    """As `_numbers` says; ints and floats as Python reads them."""
    try:
        number = int(text)
    except ValueError:
        try:
            value = float(text)
        except ValueError as error:
            raise _UnfitError(text) from error
        if math.isnan(value):
            raise _UnfitError(text) from None
        return value, b""
    if number < -LARGEST:
        return -math.inf, _digits(number + BEYOND)
    floor = float(min(number, LARGEST))
    if int(floor) > number:
        floor = math.nextafter(floor, -math.inf)
    return floor, _digits(number - int(floor))


def _digits(rest: int) -> bytes:
    """Big endian: none for 0, eight bytes, or for what is larger, its length behind bytes that are above all eight."""
    if rest < 2**63:
        return rest.to_bytes(8) if rest else b""
    length = (rest.bit_length() + 7) // 8
    return b"\xff" * 8 + length.to_bytes(2) + rest.to_bytes(length)


def _dates(texts: Any) -> list[Any]:
    """Microseconds since 1970; ISO 8601, in UTC where it names no zone."""
    found = parse_iso8601(texts).utc(UTC)
    if found.null_count > texts.null_count:
        pc = need("pyarrow.compute", "tables")
        raise _UnfitError(texts.filter(pc.and_(found.is_null(), texts.is_valid()))[0].as_py())
    return [found]


KINDS: Mapping[str, tuple[Callable[[Any], list[Any]], int]] = {
    "text": (_text, 1),
    "number": (_numbers, 2),
    "date": (_dates, 1),
}


def directions(columns: Sequence[Column]) -> list[Direction]:
    """Of the arrays of all their keys."""
    return [direction for column in columns for direction in column.directions]
