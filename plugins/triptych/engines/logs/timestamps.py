"""Timestamps of log entries: kinds that are found by themselves, or declared."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from triptych.engines.arrays.text_columns import by_unique, scalar
from triptych.engines.runtime.resources import need
from triptych.engines.times.parsing import SECOND, by_reader, of_iso
from triptych.errors import JobSpecError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Stamp:
    """One kind of timestamp, in regular expressions of RE2 over bytes.

    A line has one where `before` and then `form` match; the group `at` is its text. `read` makes microseconds since
    1970 of a column of those, given the zone and year of texts without: null where one is none after all.
    """

    name: str
    before: str
    form: str
    read: Callable[[Any, tzinfo, int], Any]

    def texts(self, lines: Any) -> Any:
        """Of each line, as large strings; null where it has none."""
        pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
        found = _first_match(lines, "^" + self.form)
        if found.null_count:
            # To look for `form` alone, where it is known to be, is several times faster than both at once.
            others = pc.and_(found.is_null(), pc.match_substring_regex(lines, self.before + self.form))
            found = pc.replace_with_mask(found, others, _first_match(lines.filter(others), self.form))
        return found.cast(pa.large_string())


def _first_match(lines: Any, pattern: str) -> Any:
    pc = need("pyarrow.compute", "tables")
    return pc.struct_field(pc.extract_regex(lines, pattern), [0])


def time_zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"time_zone: {name!r} is no time zone. Name one as IANA does, such as Europe/Berlin."
        raise JobSpecError(msg) from error


def declared(form: str) -> Stamp:
    """A strptime format, anywhere in the first 200 characters; JobSpecError for a directive that has no fixed form."""
    pattern, rest = "", form
    while rest:
        if rest[0] != "%":
            pattern, rest = pattern + re.escape(rest[0]), rest[1:]
            continue
        if rest[:2] not in _DIRECTIVES:
            msg = f"{form!r}: {rest[:2]!r} cannot be used here; known are {', '.join(_DIRECTIVES)}."
            raise JobSpecError(msg)
        pattern, rest = pattern + _DIRECTIVES[rest[:2]], rest[2:]
    return Stamp(form, "^.{0,200}?", f"(?P<at>{pattern})", _by(form))


def _by(form: str) -> Callable[[Any, tzinfo, int], Any]:
    """By a strptime format; the year is given where the format has none."""
    has_year = "%Y" in form or "%y" in form

    def read(texts: Any, zone: tzinfo, year: int) -> Any:
        given, its_form = ("", form) if has_year else (f"{year} ", f"%Y {form}")
        return by_reader(texts, lambda text: datetime.strptime(given + text, its_form), zone)

    return read


def _iso(texts: Any, zone: tzinfo, year: int) -> Any:
    if len(texts) and "," in texts[0].as_py():
        # Both are ISO 8601, and Arrow reads points.
        texts = need("pyarrow.compute", "tables").replace_substring(texts, ",", ".")
    return of_iso(texts, zone)


def _apache(texts: Any, zone: tzinfo, year: int) -> Any:
    """24/Nov/2026:07:07:08 +0100"""
    year_text, month, day = _cut(texts, 7, 11), _cut(texts, 3, 6), _cut(texts, 0, 2)
    return of_iso(_joined(year_text, month, day, _cut(texts, 12, 20), _cut(texts, 21, 26)), zone)


def _nginx(texts: Any, zone: tzinfo, year: int) -> Any:
    """2026/11/24 06:07:08"""
    return of_iso(need("pyarrow.compute", "tables").replace_substring(texts, "/", "-"), zone)


def _syslog(texts: Any, zone: tzinfo, year: int) -> Any:
    """Nov 24 06:07:08, and a space in place of a day's leading zero."""
    day = need("pyarrow.compute", "tables").replace_substring(_cut(texts, 4, 6), " ", "0")
    return of_iso(_joined(scalar(f"{year:04}"), _cut(texts, 0, 3), day, _cut(texts, 7, 15), scalar("")), zone)


def _epoch(texts: Any, zone: tzinfo, year: int) -> Any:
    """Seconds; with 13 digits milliseconds."""
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    numbers = texts.cast(pa.float64())
    unit = pc.if_else(pc.match_substring_regex(texts, "^[0-9]{13}$"), SECOND / 1000, float(SECOND))
    return pc.round(pc.multiply(numbers, unit)).cast(pa.int64())


def _joined(year: Any, month: Any, day: Any, clock: Any, zone: Any) -> Any:
    """As ISO 8601; a month that has no such name makes it none."""
    pc = need("pyarrow.compute", "tables")
    date = pc.binary_join_element_wise(year, by_unique(month, _month), day, scalar("-"))
    moment = pc.binary_join_element_wise(date, clock, scalar("T"))
    return pc.binary_join_element_wise(moment, zone, scalar(""))


def _month(name: str) -> str:
    return f"{MONTHS.index(name) + 1:02}" if name in MONTHS else ""


def _cut(texts: Any, start: int, stop: int) -> Any:
    return need("pyarrow.compute", "tables").utf8_slice_codeunits(texts, start, stop)


_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?"
KNOWN = (
    # ISO 8601, Python's logging, log4j, nginx and systemd in JSON: anywhere in the first 80 characters.
    Stamp("iso", "^.{0,80}?", f"(?P<at>{_DATE})", _iso),
    # Common and combined log format of Apache and nginx.
    Stamp("apache", "^.{0,200}?", r"\[(?P<at>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]", _apache),
    Stamp("nginx", "^", r"(?P<at>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\b", _nginx),
    # RFC 3164: without a year.
    Stamp("syslog", r"^(?:<\d+>)?", r"(?P<at>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)\b", _syslog),
    Stamp("epoch", r"^\W?", r"(?P<at>\d{13}|\d{10}(?:\.\d+)?)\b", _epoch),
)
_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    "%m": r"\d{1,2}",
    "%d": r"[ \d]?\d",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%M": r"\d\d",
    "%S": r"\d\d",
    "%f": r"\d{1,6}",
    "%b": r"[A-Za-z]{3}",
    "%B": r"[A-Za-z]+",
    "%a": r"[A-Za-z]{3}",
    "%A": r"[A-Za-z]+",
    "%p": r"[AaPp][Mm]",
    "%z": r"(?:Z|[+-]\d\d:?\d\d)",
    "%j": r"\d{3}",
    "%%": "%",
}
