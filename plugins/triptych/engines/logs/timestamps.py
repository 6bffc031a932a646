"""Timestamps of log entries: where they are in a line, for forms that are known or declared. `times` reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.shapes import without_digits
from triptych.engines.arrays.text_columns import BytesColumn, TextColumn, any_true, by_unique, scalar
from triptych.engines.times.parsing import ParsedTimes, has_year, parse_epoch, parse_iso8601, parse_strptime
from triptych.engines.times.spellings import ZONE_NAMES
from triptych.errors import JobSpecError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIRST_LINES = 16
BEHIND_BYTES = 8
"""Behind a timestamp: enough to tell that it ends, as ` +05:30` and a byte behind it are eight."""
MOST_TAILS = 1000
"""Beyond so many different ones a search takes no longer."""
_GOES_ON = frozenset(bytes([octet]) for octet in b"0123456789.,:Z+-")


@dataclass(frozen=True)
class TimestampForm:
    """One form of timestamp, in regular expressions of RE2 over bytes.

    A line has one where `before` and then `pattern`, whose group is the timestamp's text, match. `parse` reads a column
    of such texts, given the year of those that name none, which `has_year` tells, and the declared zone.
    """

    name: str
    before: str
    pattern: str
    parse: Callable[[TextColumn, int, tzinfo], ParsedTimes]
    has_year: bool = True
    any_digits: bool = True
    """Whether the pattern takes any digit where it takes one."""

    def texts(self, lines: BytesColumn) -> TextColumn:
        """The timestamp of each line; null where it has none."""
        found = self._alike(lines) if self.any_digits else None
        if found is None:
            return self._searched(lines).cast(pa.large_string())
        rest = found.is_null()
        if any_true(rest):
            found = pc.replace_with_mask(found, rest, self._searched(lines.filter(rest)))
        return found.cast(pa.large_string())

    def _alike(self, lines: BytesColumn) -> BytesColumn | None:
        """Of lines that begin as the first with a timestamp does, but for its digits, the timestamp; of others null.

        None where the first lines begin with none, or too many different texts stand behind it. It takes a third of
        the time of a search.
        """
        begun = _first_group(lines[:FIRST_LINES], "^" + self.pattern).drop_null()
        if not len(begun):
            return None
        first: bytes = begun[0].as_py()
        heads = pc.binary_slice(lines, 0, len(first))
        behind = pc.binary_slice(lines, len(first), len(first) + BEHIND_BYTES).dictionary_encode()
        if len(behind.dictionary) > MOST_TAILS:
            return None
        tails = behind.dictionary.to_pylist()
        whole = _first_group(pa.array([first + tail for tail in tails], pa.large_binary()), "^" + self.pattern)
        # It ends here in each line that goes on so, unless that may be more of it than is looked at.
        ends = [
            found == first and tail[:1] not in _GOES_ON for tail, found in zip(tails, whole.to_pylist(), strict=True)
        ]
        is_alike = pc.equal(without_digits(heads), without_digits(begun[:1])[0])
        return pc.if_else(pc.and_(is_alike, pa.array(ends, pa.bool_()).take(behind.indices)), heads, None)

    def _searched(self, lines: BytesColumn) -> BytesColumn:
        texts = _first_group(lines, "^" + self.pattern)
        if texts.null_count:
            # To look for `pattern` alone, where it is known to be, is several times faster than both at once.
            others = pc.and_(texts.is_null(), pc.match_substring_regex(lines, self.before + self.pattern))
            found = _first_group(lines.filter(others), f"(?:{self.before}){self.pattern}")
            texts = pc.replace_with_mask(texts, others, found)
        return texts

    def prefixes(self, lines: BytesColumn) -> list[bytes]:
        """What stands before the timestamp, of those lines that have one."""
        found = pc.extract_regex(lines, f"(?P<before>{self.before}){self.pattern}")
        prefixes: list[bytes] = pc.struct_field(found, [0]).drop_null().to_pylist()
        return prefixes


def _first_group(lines: BytesColumn, pattern: str) -> BytesColumn:
    return pc.struct_field(pc.extract_regex(lines, pattern), [0])


def declared_form(format: str) -> TimestampForm:
    """A strptime format, anywhere in the first 200 characters; JobSpecError for a directive that has no fixed form."""
    pattern, rest = "", format
    while rest:
        if rest[0] != "%":
            pattern, rest = pattern + re.escape(rest[0]), rest[1:]
            continue
        if rest[:2] not in _DIRECTIVES:
            msg = f"{format!r}: {rest[:2]!r} cannot be used here; known are {', '.join(_DIRECTIVES)}."
            raise JobSpecError(msg)
        pattern, rest = pattern + _DIRECTIVES[rest[:2]], rest[2:]
    at, parse = f"(?P<at>{pattern})", partial(_parse_declared, format)
    return TimestampForm(format, "^.{0,200}?", at, parse, has_year(format), any_digits=False)


def _parse_declared(format: str, texts: TextColumn, year: int, zone: tzinfo) -> ParsedTimes:
    return parse_strptime(texts, [format], year, zone)


def _parse_iso(texts: TextColumn, year: int, zone: tzinfo) -> ParsedTimes:
    if len(texts) and "," in texts[0].as_py():
        # Both are ISO 8601, and Arrow reads points.
        texts = pc.replace_substring(texts, ",", ".")
    return parse_iso8601(texts, zone)


def _parse_apache(texts: TextColumn, year: int, zone: tzinfo) -> ParsedTimes:
    """24/Nov/2026:07:07:08 +0100"""
    written_year, month, day = _cut(texts, 7, 11), _cut(texts, 3, 6), _cut(texts, 0, 2)
    return parse_iso8601(_iso_texts(written_year, month, day, _cut(texts, 12, 20), _cut(texts, 21, 26)))


def _parse_nginx(texts: TextColumn, year: int, zone: tzinfo) -> ParsedTimes:
    """2026/11/24 06:07:08"""
    return parse_iso8601(pc.replace_substring(texts, "/", "-"))


def _parse_syslog(texts: TextColumn, year: int, zone: tzinfo) -> ParsedTimes:
    """Nov 24 06:07:08, and a space in place of a day's leading zero."""
    day = pc.replace_substring(_cut(texts, 4, 6), " ", "0")
    return parse_iso8601(_iso_texts(scalar(f"{year:04}"), _cut(texts, 0, 3), day, _cut(texts, 7, 15), scalar("")))


def _parse_ctime(texts: TextColumn, year: int, zone: tzinfo) -> ParsedTimes:
    """Tue Nov 24 06:07:08.250000 2026, and a space in place of a day's leading zero."""
    day = pc.replace_substring(_cut(texts, 8, 10), " ", "0")
    written_year = pc.utf8_slice_codeunits(texts, -4)
    clock = pc.utf8_slice_codeunits(texts, 11, -5)
    return parse_iso8601(_iso_texts(written_year, _cut(texts, 4, 7), day, clock, scalar("")))


def _parse_epoch(texts: TextColumn, year: int, zone: tzinfo) -> ParsedTimes:
    """1795500428.25 or 1795500428250"""
    return parse_epoch(texts)


def _iso_texts(
    year: TextColumn | pa.LargeStringScalar,
    month: TextColumn,
    day: TextColumn,
    clock: TextColumn,
    offset: TextColumn | pa.LargeStringScalar,
) -> TextColumn:
    """As ISO 8601: "2026", "Nov", "24", "07:07:08", "+0100" -> "2026-11-24T07:07:08+0100"; a month of no such name
    makes it none.
    """
    date = pc.binary_join_element_wise(year, by_unique(month, _month_number), day, scalar("-"))
    moment = pc.binary_join_element_wise(date, clock, scalar("T"))
    return pc.binary_join_element_wise(moment, offset, scalar(""))


def _month_number(name: str) -> str:
    return f"{MONTHS.index(name) + 1:02}" if name in MONTHS else ""


def _cut(texts: TextColumn, start: int, stop: int) -> TextColumn:
    return pc.utf8_slice_codeunits(texts, start, stop)


_OFFSET = rf"(?:Z|[+-]\d\d(?::?\d\d)?\b| [+-]\d\d:?\d\d\b| (?:{ZONE_NAMES})\b)?"
_DATE = rf"\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?{_OFFSET}"
AT_START = r"^(?:\xef\xbb\xbf)?(?:\x1b\[[0-9;]*m)*(?:<\d{1,3}>)?[^\w\s]{0,2}"
"""Before a timestamp that begins its line: a byte-order mark, colours of a terminal, syslog's priority, a bracket."""
KNOWN = (
    # ISO 8601, Python's logging, log4j, nginx and systemd in JSON: anywhere in the first 80 characters.
    TimestampForm("iso", "^.{0,80}?", f"(?P<at>{_DATE})", _parse_iso),
    # Common and combined log format of Apache and nginx.
    TimestampForm(
        "apache", r"^(?:\S.{0,200}?)?", r"\[(?P<at>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]", _parse_apache
    ),
    TimestampForm("nginx", AT_START, r"(?P<at>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\b", _parse_nginx),
    # C's ctime, as Apache's error log has it, with a fraction.
    TimestampForm(
        "ctime",
        AT_START,
        r"(?P<at>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \d{4})\b",
        _parse_ctime,
    ),
    # RFC 3164: without a year.
    TimestampForm("syslog", AT_START, r"(?P<at>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)\b", _parse_syslog, has_year=False),
    TimestampForm("epoch", AT_START, r"(?P<at>\d{19}|\d{16}|\d{13}|\d{10}(?:\.\d+)?)\b", _parse_epoch),
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
    "%f": r"\d{1,9}",
    "%b": r"[A-Za-z]{3}",
    "%B": r"[A-Za-z]+",
    "%a": r"[A-Za-z]{3}",
    "%A": r"[A-Za-z]+",
    "%p": r"[AaPp][Mm]",
    "%z": r"(?:Z|[+-]\d\d(?::?\d\d)?)\b",
    "%Z": f"(?:{ZONE_NAMES})",
    "%j": r"\d{3}",
    "%%": "%",
}
