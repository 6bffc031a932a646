"""The one reader of times: a column of text becomes microseconds since 1970, in UTC where the text says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.text_columns import TextColumn, any_true
from triptych.engines.times.zones import EPOCH, MICROSECOND, SECOND_US, local_of_utc, utc_of_local

LATEST_S = 100_000_000_000
"""Larger numbers (beyond the year 5138) are milliseconds."""
YEAR_1_US = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
_CLOCK = r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_LOCAL = rf"^\d{{4}}-\d\d-\d\d(?:{_CLOCK})?$"
_WITH_OFFSET = rf"^\d{{4}}-\d\d-\d\d{_CLOCK}(?:Z|[+-]\d\d(?::?\d\d)?)$"
_NUMBER = r"^-?(?:\d{1,7}|\d{9,15})(?:\.\d*)?$"
"""Eight digits are a date of ISO 8601's basic format."""
REMEMBERED_TEXTS = 100_000
"""How many texts are remembered with what strptime, which takes 10 us, makes of them."""


@dataclass(frozen=True)
class ParsedTimes:
    """What texts say, one element each, as int64 columns of microseconds since 1970-01-01T00:00.

    `instants` hold, in UTC, the times of texts that name an offset or count from 1970; `shown` what clocks showed, of
    texts that name none. A text that is no time, or null, is null in both; None is a column of nulls.
    ["2026-01-01T01:00+01:00", "2026-01-01", "x"] -> instants [1767225600000000, null, null], shown [null,
    1767225600000000, null].
    """

    instants: pa.Int64Array | None = None
    shown: pa.Int64Array | None = None

    def utc(self, zone: tzinfo) -> pa.Int64Array:
        """Instants, of all: texts without an offset are local time in `zone`."""
        return _first_valid(self.instants, None if self.shown is None else utc_of_local(self.shown, zone))

    def local(self, zone: tzinfo) -> pa.Int64Array:
        """What clocks in `zone` show, of all; what was shown anyway stays as it is."""
        return _first_valid(self.shown, None if self.instants is None else local_of_utc(self.instants, zone))

    def or_else(self, other: ParsedTimes) -> ParsedTimes:
        """These, and where they are null, the others."""
        return ParsedTimes(_either(self.instants, other.instants), _either(self.shown, other.shown))


def parse_iso8601(texts: TextColumn) -> ParsedTimes:
    """Whatever `datetime.fromisoformat` reads; a date is its midnight."""
    return _by_first(texts, _ISO_FORMS, datetime.fromisoformat)


def parse_iso8601_or_epoch(texts: TextColumn) -> ParsedTimes:
    """ISO 8601, or a number as `parse_epoch` reads them; of eight digits that is a date, 20260102."""
    return _by_first(texts, (*_ISO_FORMS, _Form(_NUMBER, parse_epoch)), _iso8601_or_number)


def parse_epoch(numbers: TextColumn) -> ParsedTimes:
    """Seconds since 1970, or milliseconds where they are 10 ** 11 or more; rounded to microseconds.

    pyarrow.ArrowInvalid for text that is no number.
    """
    values = numbers.cast(pa.float64())
    unit_us = pc.if_else(pc.less(pc.abs(values), LATEST_S), float(SECOND_US), SECOND_US / 1000)
    return ParsedTimes(instants=pc.round(pc.multiply(values, unit_us)).cast(pa.int64()))


def parse_strptime(texts: TextColumn, formats: Sequence[str], default_year: int | None = None) -> ParsedTimes:
    """By the first of strptime's formats that reads a text; `default_year` is that of formats without one."""
    return parse_each(texts, partial(_strptime, _with_year(tuple(formats), default_year)))


def parse_each(texts: TextColumn, read: Callable[[str], datetime | None]) -> ParsedTimes:
    """By a function that raises ValueError, or returns None, for what is no time; asked once for equal texts.

    A datetime without tzinfo is what a clock showed.
    """
    coded = texts.dictionary_encode()
    moments = [None if text is None else _read(read, text) for text in coded.dictionary.to_pylist()]
    instants = [(moment - EPOCH) // MICROSECOND if moment and moment.tzinfo else None for moment in moments]
    shown = [(moment - _EPOCH_SHOWN) // MICROSECOND if moment and not moment.tzinfo else None for moment in moments]
    return ParsedTimes(*(pa.array(times, pa.int64()).take(coded.indices) for times in (instants, shown)))


_EPOCH_SHOWN = EPOCH.replace(tzinfo=None)
_Read: TypeAlias = Callable[[str], datetime | None]


@dataclass(frozen=True)
class _Form:
    """How a text of one form looks (RE2), and the vector that reads such; ArrowInvalid where one is no time."""

    pattern: str
    parse: Callable[[TextColumn], ParsedTimes]


def _by_first(texts: TextColumn, forms: Sequence[_Form], read: _Read) -> ParsedTimes:
    """Most often all are as the first is, and one vector reads them; it refuses a text of another form."""
    first = next((text.as_py() for text in texts if text.is_valid), "")
    for form in _ISO_FORMS:
        if re.match(form.pattern, first):
            with suppress(pa.ArrowInvalid):
                return form.parse(texts)
    return _by_forms(texts, forms, read)


def _by_forms(texts: TextColumn, forms: Sequence[_Form], read: _Read) -> ParsedTimes:
    """A vector for each form; what is of none is read one by one.

    So is every text of a form where one only looks like it, such as the 30th of February.
    """
    rest, parsed = texts.is_valid(), ParsedTimes(instants=pa.nulls(len(texts), pa.int64()))
    for form in forms:
        mask = pc.match_substring_regex(texts, form.pattern).fill_null(False)
        if any_true(mask):
            with suppress(pa.ArrowInvalid):
                parsed = parsed.or_else(form.parse(pc.if_else(mask, texts, None)))
                rest = pc.and_not(rest, mask)
    if any_true(rest):
        parsed = parsed.or_else(parse_each(pc.if_else(rest, texts, None), read))
    return parsed


def _parse_local(texts: TextColumn) -> ParsedTimes:
    return ParsedTimes(shown=_cast(texts, None))


def _parse_with_offset(texts: TextColumn) -> ParsedTimes:
    return ParsedTimes(instants=_cast(texts, "UTC"))


def _cast(texts: TextColumn, zone: str | None) -> pa.Int64Array:
    """ArrowInvalid for what names no offset, if there is a zone here, or names one, if there is none."""
    times = texts.cast(pa.timestamp("us", zone)).cast(pa.int64())
    if any_true(pc.less(times, YEAR_1_US)):
        # Arrow reads a year 0 too.
        raise pa.ArrowInvalid
    return times


_ISO_FORMS = (_Form(_LOCAL, _parse_local), _Form(_WITH_OFFSET, _parse_with_offset))


def _first_valid(one: pa.Int64Array | None, other: pa.Int64Array | None) -> pa.Int64Array:
    both = _either(one, other)
    assert both is not None, "ParsedTimes of neither"
    return both


def _either(one: pa.Int64Array | None, other: pa.Int64Array | None) -> pa.Int64Array | None:
    if one is None or other is None:
        return other if one is None else one
    return pc.coalesce(one, other)


def _read(read: _Read, text: str) -> datetime | None:
    try:
        return read(text)
    except (ValueError, OverflowError):
        return None


def _iso8601_or_number(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        number = float(text)
        return EPOCH + timedelta(seconds=number if abs(number) < LATEST_S else number / 1000)


def _with_year(formats: tuple[str, ...], year: int | None) -> tuple[tuple[str, str], ...]:
    """What goes in front of a text, and its format with that: `%b %d` in 2026 -> `2026 `, `%Y %b %d`."""
    return tuple(
        ("", form) if year is None or "%Y" in form or "%y" in form else (f"{year} ", f"%Y {form}") for form in formats
    )


@lru_cache(REMEMBERED_TEXTS)
def _strptime(formats: tuple[tuple[str, str], ...], text: str) -> datetime | None:
    for year, form in formats:
        with suppress(ValueError):
            return datetime.strptime(year + text, form)
    return None
