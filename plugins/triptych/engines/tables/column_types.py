"""Which type a column of text has: that of all its values, over all files, or text; nothing is guessed from some.

Integers beyond 64 bits are decimals, beyond 38 digits text. Only ISO 8601 is a date or a time: in others day and month
could be swapped. `007`, `0x1f`, `1e5` and `12e45678` are text; numbers with an exponent have a point or its sign.
A fraction with more digits than a float keeps makes its column text: declare it decimal to have a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.shapes import shapes
from triptych.engines.arrays.text_columns import TextColumn, any_true, holds

DECIMAL_DIGITS = 38
EXACT = 2**53
"""Up to here each integer is a float, too."""
SURE_DIGITS = 15
"""So many significant digits every float keeps (IEEE 754, binary64)."""
_HEAD = 64
"""Values of a column that are looked at before all are: most columns are text, which these show."""
_INTEGER = r"-?(?:0|[1-9][0-9]*)"
_POINT = r"-?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)\.)(?:[eE][-+]?[0-9]{1,3})?"
_SIGNED = r"-?[1-9][0-9]*[eE][-+][0-9]{1,3}"
_NO_NUMBER = r"nan|NaN|-?inf|-?Infinity"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
PATTERNS: Mapping[str, str] = {
    "integer": _INTEGER,
    "number": f"{_INTEGER}|{_POINT}|{_SIGNED}|{_NO_NUMBER}",
    "comma": f"{_INTEGER}|-?(?:0|[1-9][0-9]*),[0-9]+",
    "boolean": "true|false|True|False|TRUE|FALSE",
    "date": _DATE,
    "timestamp": f"{_DATE}(?:[ T]{_TIME})?",
    "zoned": f"{_DATE}[ T]{_TIME}(?:Z|[-+][0-9]{{2}}(?::?[0-9]{{2}})?)",
}
"""Of whole values, by what a column may be, the narrowest first.

Here and below: of digits a pattern may ask only whether the first is zero, as that is all that shapes keep.
"""
_FAR = "[eE][-+]?[0-9]{3}$"
"""What may be beyond the largest float, or below the least."""
_THOUSANDS = r"^-?[1-9][0-9]{0,2}(?:,[0-9]{3})+$|^[^,]*$"
"""What may be a number with its thousands apart, or has no comma."""


@dataclass(frozen=True)
class Unfit(Exception):
    """The value with this index in a column is none of the type."""

    index: int
    value: str


class ColumnType:
    """Looks at all values of a column, batch by batch; those that are empty or null say nothing."""

    def __init__(self, *, text_only: bool = False, decimal: str | None = None) -> None:
        """`decimal` is the declared separator of its fractions; None where the values are to show it."""
        self._possible = dict.fromkeys(() if text_only else PATTERNS)
        if decimal == ",":
            self._possible.pop("number", None)
        if decimal == ".":
            self._possible.pop("comma", None)
        self._shows_comma = decimal == ","
        self._has_values = self._has_number = self._has_nanoseconds = False
        self._low = self._high = 0

    def add(self, texts: TextColumn) -> None:
        """Narrow down what it may be."""
        if not self._possible and self._has_values:
            return
        values = texts.filter(pc.not_equal(texts, "")) if _has_gaps(texts) else texts
        if not len(values):
            return
        self._has_values = True
        # Most columns are text, which the first values show.
        for part in filter(len, (values[:_HEAD], values[_HEAD:])):
            forms = shapes(part)
            self._narrow(forms)
            if not self._possible:
                return
            self._note(part, forms)

    def _narrow(self, forms: TextColumn) -> None:
        if "integer" in self._possible and _all(forms, "integer"):
            self._only("integer", "number", "comma")
            self._has_number = True
        else:
            self._only(*(kind for kind in self._possible if kind != "integer" and _all(forms, kind)))

    def _only(self, *kinds: str) -> None:
        self._possible = {kind: None for kind in self._possible if kind in kinds}

    def _note(self, values: TextColumn, forms: TextColumn) -> None:
        if self._possible.keys() & {"number", "comma"}:
            self._note_numbers(values, forms)
        for kind in self._possible.keys() & {"date", "timestamp", "zoned"}:
            # The form is right: whether the calendar has it, the cast knows.
            try:
                values.cast(_MOMENTS[kind])
            except pa.ArrowInvalid:
                self._possible.pop(kind)
        if self._possible.keys() & {"timestamp", "zoned"}:
            self._has_nanoseconds |= any_true(pc.match_substring_regex(forms, r"\.[0-9]{7}"))

    def _note_numbers(self, values: TextColumn, forms: TextColumn) -> None:
        longest = pc.max(pc.binary_length(forms)).as_py()
        if longest > SURE_DIGITS:
            self._note_integers(values)
        may_be_far = longest > SURE_DIGITS + 1 or any_true(pc.match_substring_regex(forms, _FAR))
        if "integer" not in self._possible and may_be_far:
            self._note_fractions(values)
        if not self._has_number:
            self._has_number = not pc.all(pc.match_substring_regex(forms, f"^(?:{_NO_NUMBER})$")).as_py()
        if "comma" in self._possible and not pc.all(pc.match_substring_regex(forms, _THOUSANDS)).as_py():
            self._shows_comma = True

    def _note_integers(self, values: TextColumn) -> None:
        whole = values.filter(pc.match_substring_regex(values, f"^(?:{_INTEGER})$"))
        if len(whole) and pc.max(pc.binary_length(whole)).as_py() > len(str(EXACT)) - 1:
            numbers = [int(each) for each in whole.to_pylist() if len(each) < 4000] or [10**4000]
            longest = max(map(len, whole.to_pylist()))
            self._low = min(self._low, *numbers)
            self._high = max(self._high, *numbers, 10 ** (longest - 1) if longest >= 4000 else 0)

    def _note_fractions(self, values: TextColumn) -> None:
        """Those that a float would say otherwise: then the column is no number."""
        is_long = pc.greater(pc.binary_length(values), SURE_DIGITS + 1)
        doubted = values.filter(pc.or_(is_long, pc.match_substring_regex(values, _FAR)))
        kinds = {"number", "comma"} & self._possible.keys()
        if not len(doubted):
            return
        shown = pc.replace_substring(doubted, ",", ".") if "number" not in kinds else doubted
        # As Arrow writes a float it is short and exact: what it gives back as it came needs no closer look.
        doubtful = shown.filter(pc.not_equal(shown, shown.cast(pa.float64()).cast(pa.large_string())))
        if any(not _is_kept(text) for text in doubtful.to_pylist()):
            self._only(*(self._possible.keys() - kinds))

    def read(self) -> tuple[pa.DataType, str]:
        """The narrowest type that all values have; and the decimal separator of those that are numbers."""
        largest = max(-self._low, self._high)
        for kind in self._possible if self._has_values else ():
            if kind == "integer":
                return _integer_type(self._low, self._high), "."
            if kind == "number" and self._has_number and largest <= EXACT:
                return pa.float64(), "."
            if kind == "comma" and self._shows_comma and largest <= EXACT:
                return pa.float64(), ","
            if kind in ("timestamp", "zoned"):
                return pa.timestamp("ns" if self._has_nanoseconds else "us", "UTC" if kind == "zoned" else None), "."
            if kind in ("boolean", "date"):
                return _TYPES[kind], "."
        return pa.string(), "."


_TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
_MOMENTS: Mapping[str, pa.DataType] = {
    "date": pa.date32(),
    "timestamp": pa.timestamp("ns"),
    "zoned": pa.timestamp("ns", "UTC"),
}


def declared_type(said: str) -> pa.DataType:
    """`integer` -> int64, `decimal(18,2)` -> decimal128(18, 2)."""
    if said.startswith("decimal"):
        precision, scale = map(int, re.findall("[0-9]+", said))
        return pa.decimal128(min(precision, DECIMAL_DIGITS), scale)
    return _TYPES[said]


def _integer_type(low: int, high: int) -> pa.DataType:
    if low >= -(2**63) and high < 2**63:
        return pa.int64()
    return pa.decimal128(DECIMAL_DIGITS, 0) if max(-low, high) < 10**DECIMAL_DIGITS else pa.string()


def _has_gaps(texts: TextColumn) -> bool:
    """Whether one is empty or null."""
    return bool(texts.null_count or pc.min(pc.binary_length(texts)).as_py() == 0)


def _all(forms: TextColumn, kind: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(forms, f"^(?:{PATTERNS[kind]})$")).as_py())


def _is_kept(text: str) -> bool:
    """Whether a float written with as many digits as the text has is the same number: `0.1`, `1.000...e+00`."""
    digits = re.sub(r"[eE].*|[-.]", "", text).lstrip("0")
    if not digits.isdecimal():  # Zero, and what is no number.
        return True
    return Decimal(f"{float(text):.{len(digits) - 1}e}") == Decimal(text)


def typed(texts: TextColumn, dtype: pa.DataType, decimal: str = ".") -> pa.Array:
    """Values of the type; null where a text is empty. Unfit for the first that is none of it."""
    values = pc.if_else(pc.equal(texts, ""), None, texts) if _has_gaps(texts) else texts
    if pa.types.is_string(dtype):
        return values.cast(pa.large_string())
    if decimal == "," and (pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)):
        values = pc.replace_substring(values, ",", ".")
    try:
        return _checked(values, dtype)
    except pa.ArrowInvalid:
        pass
    for index, text in enumerate(values.to_pylist()):
        try:
            _checked(pa.array([text], pa.large_string()), dtype)
        except pa.ArrowInvalid as error:
            raise Unfit(index, texts[index].as_py()) from error
    msg = f"{dtype} fits each value, and not all"
    raise AssertionError(msg)


def _checked(values: TextColumn, dtype: pa.DataType) -> pa.Array:
    """Arrow reads hexadecimal integers, too."""
    if pa.types.is_integer(dtype) and holds(values, b"x", b"X"):
        msg = "hexadecimal"
        raise pa.ArrowInvalid(msg)
    return values.cast(dtype)
