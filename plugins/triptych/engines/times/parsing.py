"""The one reader of times: a column of text becomes microseconds since 1970, in UTC where the text says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.text_columns import TextColumn, any_true
from triptych.engines.times.spellings import OFFSETS, offset_of_name, plain_spelling, without_nanoseconds
from triptych.engines.times.zones import EPOCH, MICROSECOND, SECOND_US, find_zone, local_of_utc, utc_of_local
from triptych.errors import TriptychError

LATEST_S = 100_000_000_000
"""Larger numbers (beyond the year 5138) are milliseconds; a thousand times that, microseconds, and then nanoseconds."""
EARLIEST_S = 100_000_000
"""Smaller numbers are no time by themselves: 2026 is a year, 46022 a day of a spreadsheet, 20260102 a date."""
YEAR_1_US = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
_ZONE_WORD = re.compile(rf"\b(?:{'|'.join(OFFSETS)}|[A-Z]{{3,5}})\b")
_CLOCK = r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_LOCAL = rf"^\d{{4}}-\d\d-\d\d(?:{_CLOCK})?$"
_WITH_OFFSET = rf"^\d{{4}}-\d\d-\d\d{_CLOCK}(?:Z|[+-]\d\d(?::?\d\d)?)$"
_NUMBER = r"^-?\d{9,19}(?:\.\d*)?$"
REMEMBERED_TEXTS = 100_000
"""How many texts are remembered with what strptime, which takes 10 us, makes of them."""


@dataclass(frozen=True)
class ParsedTimes:
    """What texts say, one element each, as int64 columns of microseconds since 1970-01-01T00:00.

    `instants` hold, in UTC, the times of texts that name an offset or count from 1970; `shown` what clocks showed, of
    texts that name none. A text that is no time, or null, is null in both; None is a column of nulls.
    ["2026-01-01T01:00+01:00", "2026-01-01", "x"] -> instants [1767225600000000, null, null], shown [null,
    1767225600000000, null]. `nanoseconds` are those beyond the microseconds, 0 to 999; None where there are none.
    """

    instants: pa.Int64Array | None = None
    shown: pa.Int64Array | None = None
    nanoseconds: pa.Int64Array | None = None

    def utc(self, zone: tzinfo) -> pa.Int64Array:
        """Instants, of all: texts without an offset are local time in `zone`."""
        return _first_valid(self.instants, None if self.shown is None else utc_of_local(self.shown, zone))

    def local(self, zone: tzinfo) -> pa.Int64Array:
        """What clocks in `zone` show, of all; what was shown anyway stays as it is."""
        return _first_valid(self.shown, None if self.instants is None else local_of_utc(self.instants, zone))

    def or_else(self, other: ParsedTimes) -> ParsedTimes:
        """These, and where they are null, the others."""
        return ParsedTimes(
            _either(self.instants, other.instants),
            _either(self.shown, other.shown),
            _either(self.nanoseconds, other.nanoseconds),
        )

    def order(self, zone: tzinfo) -> list[pa.Int64Array]:
        """Columns that order these times, most important first: microseconds in UTC, and nanoseconds beyond these."""
        instants = self.utc(zone)
        if self.nanoseconds is None:
            return [instants, pa.array(np.zeros(len(instants), np.int64))]
        return [instants, self.nanoseconds.fill_null(0)]


def parse_iso8601(texts: TextColumn, zone: tzinfo = UTC) -> ParsedTimes:
    """Whatever `datetime.fromisoformat` reads, and the spellings of `spellings`; a date is its midnight.

    `zone` is the declared one, by which a zone's short name may be understood.
    """
    return _by_first(texts, _ISO_FORMS, _iso8601, zone)


def parse_iso8601_or_epoch(texts: TextColumn, zone: tzinfo = UTC) -> ParsedTimes:
    """ISO 8601, or a number from EARLIEST_S on, as `parse_epoch` reads them; of eight digits it is a date, 20260102."""
    return _by_first(texts, (*_ISO_FORMS, _Form(_NUMBER, parse_epoch)), _iso8601_or_number, zone)


def parse_epoch(numbers: TextColumn) -> ParsedTimes:
    """Seconds since 1970, or milliseconds, microseconds or nanoseconds where they are so many; exact.

    pyarrow.ArrowInvalid for text that is no decimal number.
    """
    fields = pc.extract_regex(numbers, r"^(?P<sign>-?)(?P<whole>\d{1,19})(?:\.(?P<part>\d*))?$")
    if fields.null_count > numbers.null_count:
        raise pa.ArrowInvalid
    sign, whole, part = (pc.struct_field(fields, [name]) for name in ("sign", "whole", "part"))
    is_null = numbers.is_null().to_numpy(zero_copy_only=False)
    values, billionths = (
        pc.fill_null(texts, "0").cast(pa.int64()).to_numpy()
        for texts in (whole, pc.utf8_rpad(pc.utf8_slice_codeunits(part, 0, 9), 9, "0"))
    )
    units = np.select([values < LATEST_S * 1000**power for power in range(3)], [0, 1, 2], 3)
    # A whole is so many microseconds, and its billionths are so many nanoseconds; nanoseconds hold no microsecond.
    whole_us = np.where(units == 3, values // 1000, values * np.array([SECOND_US, 1000, 1, 0])[units])
    below_ns = np.where(units == 3, values % 1000, billionths // np.array([1, 1000, 1_000_000, 1])[units])
    times_us, nanoseconds = whole_us + below_ns // 1000, below_ns % 1000
    negative = pc.equal(sign, "-").fill_null(False).to_numpy(zero_copy_only=False)
    times_us = np.where(negative, -times_us - (nanoseconds > 0), times_us)
    nanoseconds = np.where(negative, -nanoseconds % 1000, nanoseconds)
    return ParsedTimes(
        pa.array(times_us, mask=is_null), None, pa.array(nanoseconds, mask=is_null) if nanoseconds.any() else None
    )


def parse_strptime(
    texts: TextColumn, formats: Sequence[str], default_year: int | None = None, zone: tzinfo = UTC
) -> ParsedTimes:
    """By the first of strptime's formats that reads a text; `default_year` is that of formats without one.

    `%f` has up to nine digits, `%z` may be hours alone, and `%Z` is a name of `spellings`.
    """
    nanoseconds = None
    if any("%f" in format for format in formats):
        texts, nanoseconds = without_nanoseconds(texts)
    parsed = parse_each(texts, partial(_strptime, _with_year(tuple(formats), default_year), zone))
    return ParsedTimes(parsed.instants, parsed.shown, nanoseconds)


def has_year(format: str) -> bool:
    """Whether a strptime format names the year."""
    return "%Y" in format or "%y" in format


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


def _by_first(texts: TextColumn, forms: Sequence[_Form], read: _Read, zone: tzinfo) -> ParsedTimes:
    """Most often all are as the first is, and one vector reads them; it refuses a text of another form."""
    first = next((text.as_py() for text in texts if text.is_valid), "")
    for form in _ISO_FORMS:
        if re.match(form.pattern, first):
            with suppress(pa.ArrowInvalid):
                return form.parse(texts)
    texts, nanoseconds = plain_spelling(texts, zone)
    parsed = _by_forms(texts, forms, read)
    return parsed if nanoseconds is None else ParsedTimes(parsed.instants, parsed.shown, nanoseconds)


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


def _iso8601(text: str) -> datetime:
    """Also with a zone as IANA names it: `2026-01-02 03:04 Europe/Berlin`, `2026-01-02T03:04[Europe/Berlin]`."""
    found = _IANA.fullmatch(text)
    if not found:
        return datetime.fromisoformat(text)
    moment = datetime.fromisoformat(found["time"])
    try:
        return moment if moment.tzinfo else moment.replace(tzinfo=find_zone(found["zone"]))
    except TriptychError as error:
        raise ValueError(text) from error


_IANA = re.compile(r"(?P<time>.*\d(?:Z)?) ?\[?(?P<zone>[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)\]?")


def _iso8601_or_number(text: str) -> datetime:
    try:
        return _iso8601(text)
    except ValueError:
        number = float(text)
        if abs(number) < EARLIEST_S:
            raise
        return EPOCH + timedelta(seconds=number if abs(number) < LATEST_S else number / 1000)


def _with_year(formats: tuple[str, ...], year: int | None) -> tuple[tuple[str, str], ...]:
    """What goes in front of a text, and its format with that: `%b %d` in 2026 -> `2026 `, `%Y %b %d`."""
    return tuple(("", form) if year is None or has_year(form) else (f"{year} ", f"%Y {form}") for form in formats)


@lru_cache(REMEMBERED_TEXTS)
def _strptime(formats: tuple[tuple[str, str], ...], zone: tzinfo, text: str) -> datetime | None:
    for year, form in formats:
        for spelled in _spellings(text, form, zone):
            with suppress(ValueError):
                return datetime.strptime(year + spelled, form.replace("%Z", "%z"))
    return None


def _spellings(text: str, form: str, zone: tzinfo) -> Iterator[str]:
    """What strptime may read of it: it knows no offset of hours alone, and gives back no offset for a name."""
    if "%Z" in form:
        text = _ZONE_WORD.sub(lambda found: offset_of_name(found[0], zone) or found[0], text)
    yield text
    if "%z" in form:
        yield re.sub(r"(?<=[\d ])([+-]\d\d)$", r"\1:00", text)
