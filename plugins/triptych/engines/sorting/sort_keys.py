"""Values as text, made into columns that order as text, numbers or dates do, exactly."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.api import Input
from triptych.engines.arrays.text_columns import TextColumn, by_unique, holds
from triptych.engines.sorting.order import Direction, KeyColumn
from triptych.engines.times.parsing import parse_iso8601

WHOLE = r"^-?[0-9]+$"
LARGEST = int(sys.float_info.max)
BEYOND = 10**4300
"""Python reads no integer of more than 4300 digits."""


@dataclass(frozen=True)
class SortColumn:
    """One of the columns that order, as `name`, `name:number` or `name:date:desc` say."""

    name: str
    values: str
    direction: Direction

    @classmethod
    def of(cls, text: str) -> SortColumn:
        """`name[:text|number|date][:asc|desc]`; by default text, ascending. The job's schema checks the form."""
        name, *words = text.split(":")
        values = next((word for word in words if word in _KEYS_OF), "")
        return cls(name, values, "descending" if "desc" in words else "ascending")

    def of_json(self) -> SortColumn:
        """The same, for values of JSON where nothing is declared: numbers, which come first, and `"text`."""
        return self if self.values else replace(self, values="json")

    @property
    def is_json(self) -> bool:
        return self.values == "json"

    @property
    def directions(self) -> list[Direction]:
        """Of each array that `keys` makes: numbers and dates take two."""
        return [self.direction] * _KEYS_OF[self.values][1]

    def keys(self, texts: TextColumn, owner: Input, nulls: str) -> list[KeyColumn]:
        """Arrays that order these texts, most important first; an empty text is a missing value, null in the first.

        The owner's error for a missing value when `nulls` is `fail`, and for a text that is no number or date.
        """
        lengths = pc.binary_length(texts)
        if pc.min(lengths).as_py() == 0:
            texts = pc.if_else(pc.greater(lengths, 0), texts, None)
        if texts.null_count and nulls == "fail":
            text = f"a record has no value in {self.name!r}. Say where those go: nulls first or last."
            raise owner.error(text)
        try:
            return _KEYS_OF[self.values][0](texts)
        except _UnfitError as error:
            text = f"{str(error)[:60]!r} in {self.name!r} is no {self.values}. Order it as text, or correct the app."
            raise owner.error(text) from error


class _UnfitError(ValueError):
    """Its text is the value that is no number or no date."""


def _text_keys(texts: TextColumn) -> list[KeyColumn]:
    """UTF-8 orders as code points do."""
    return [texts.cast(pa.large_binary())]


def number_keys(texts: TextColumn) -> list[KeyColumn]:
    """The largest float that is not above the number; and what is missing to it, as bytes that order as it does.

    So integers of any size and floats compare as the numbers that they are. Of 2 ** 53 + 1, which is no float:
    ["0.5", "7", "9007199254740993"] -> [0.5, 7.0, 9007199254740992.0], [b"", b"", b"\\0\\0\\0\\0\\0\\0\\0\\1"].
    """
    try:
        integers = texts.cast(pa.int64())
        # Arrow reads hexadecimal numbers too.
        if not holds(texts, b"x", b"X"):
            return _integer_keys(integers)
    except pa.ArrowInvalid:
        pass
    try:
        whole = pc.match_substring_regex(texts, WHOLE)
        floors, rests = _integer_keys(pc.if_else(whole, texts, None).cast(pa.int64()))
        floats = pc.if_else(whole, None, texts).cast(pa.float64())
        if not pc.any(pc.is_nan(floats)).as_py():
            return [pc.coalesce(floors, floats), rests]
    except pa.ArrowInvalid:
        pass
    return [
        by_unique(texts, lambda text: _exact(text)[0], pa.float64()),
        pc.fill_null(by_unique(texts, lambda text: _exact(text)[1], pa.large_binary()), b""),
    ]


def _integer_keys(integers: pa.Int64Array) -> list[KeyColumn]:
    """`number_keys` of int64: floors (float64, null as they are) and rests (large binary, of 0 or 8 bytes).

    [7, null, 2**53 + 1, -2**53 - 1] -> [7.0, null, 2.0**53, -2.0**53 - 2], [b"", b"", b"\\0...\\1", b"\\0...\\1"].
    """
    values = integers.fill_null(0).to_numpy(zero_copy_only=False)
    floors = values.astype(np.float64)  # The nearest float, which may be above.
    if (np.abs(floors) < 2**53).all():
        rests = np.zeros(len(values), np.int64)
    else:
        # 2 ** 63 does not fit into an int64, which the largest are rounded to.
        is_above = (floors >= 2.0**63) | (np.where(floors < 2.0**63, floors, 0).astype(np.int64) > values)
        floors = np.where(is_above, np.nextafter(floors, -np.inf), floors)
        rests = values - floors.astype(np.int64)
    bounds = np.concatenate(([0], np.cumsum(np.where(rests > 0, 8, 0))))
    digits = rests[rests > 0].astype(">i8").tobytes()
    buffers = [None, pa.py_buffer(bounds.astype(np.int64)), pa.py_buffer(digits)]
    is_null = integers.is_null().to_numpy(zero_copy_only=False)
    return [pa.array(floors, mask=is_null), pa.Array.from_buffers(pa.large_binary(), len(rests), buffers)]


def _exact(text: str) -> tuple[float, bytes]:
    """As `number_keys` says; ints and floats as Python reads them."""
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


def _date_keys(texts: TextColumn) -> list[KeyColumn]:
    """Microseconds since 1970, and nanoseconds beyond these; ISO 8601, in UTC where it names no zone."""
    times, nanoseconds = parse_iso8601(texts).order(UTC)
    if times.null_count > texts.null_count:
        raise _UnfitError(texts.filter(pc.and_(times.is_null(), texts.is_valid()))[0].as_py())
    return [times, nanoseconds]


def _json_keys(values: TextColumn) -> list[KeyColumn]:
    """Of numbers, and texts behind a quote: whether it is a text, the number as `number_keys` has it, and the text."""
    is_text = pc.starts_with(values, '"')
    numbers = pc.if_else(is_text, "0", values).fill_null("0")
    texts = pc.if_else(is_text, pc.utf8_slice_codeunits(values, 1), "").fill_null("")
    return [is_text.cast(pa.int8()), *number_keys(numbers), *_text_keys(texts)]


_KEYS_OF: Mapping[str, tuple[Callable[[TextColumn], list[KeyColumn]], int]] = {
    "": (_text_keys, 1),
    "text": (_text_keys, 1),
    "json": (_json_keys, 4),
    "number": (number_keys, 2),
    "date": (_date_keys, 2),
}
"""What makes keys of each kind of value, and how many arrays of them."""


def directions(columns: Sequence[SortColumn]) -> list[Direction]:
    """Of the arrays of all their keys, one after the other, as `Order` takes them."""
    return [direction for column in columns for direction in column.directions]
