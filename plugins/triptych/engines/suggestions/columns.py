"""What the columns of a table's first records show: which could be keys, which hold dates, which URLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.text_columns import TextColumn
from triptych.engines.times.parsing import ParsedTimes, parse_iso8601, parse_strptime
from triptych.engines.times.zones import SECOND_US

LEAST_RECORDS = 4
"""Of fewer, nothing shows which values come again."""
MOST_KEYS = 0.5
"""A column of which more of the first values differ is no key to cut by."""
DAY_FIRST = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d %b %Y", "%d-%b-%Y")
MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%b %d, %Y")
_SPANS = ((timedelta(days=3), "hours"), (timedelta(days=100), "day"), (timedelta(days=3660), "month"))
"""Up to so long a time, records are cut by this period."""
Columns = Mapping[str, Sequence[str | None]]
"""The values of the first records by column, as text; None where there is none."""


@dataclass(frozen=True)
class Dates:
    """A column of dates, the period to cut it by, and strptime's formats where it is not ISO 8601."""

    column: str
    freq: str
    formats: tuple[str, ...] = ()

    def to_params(self) -> dict[str, Any]:
        """Of the partitioner `dates`."""
        return {"column": self.column, "freq": self.freq, **({"formats": [*self.formats]} if self.formats else {})}


def key_column(columns: Columns) -> str | None:
    """The column of fewest values that come again, at least two: `country` of orders; no number with a fraction."""
    found = {}
    for name, values in columns.items():
        distinct = set(values)
        is_key = 2 <= len(distinct) <= MOST_KEYS * len(values) and not any(map(_is_fraction, distinct))
        if name and len(values) >= LEAST_RECORDS and is_key:
            found[name] = len(distinct)
    return min(found, key=found.__getitem__, default=None)


def _is_fraction(value: str | None) -> bool:
    try:
        return value is not None and not float(value).is_integer()
    except (ValueError, OverflowError):
        return False


def date_column(columns: Columns) -> Dates | None:
    """The first of which each value that is there is a date; none where day and month could be swapped."""
    return next((found for name, values in columns.items() if name and (found := _dates(name, values))), None)


def _dates(name: str, values: Sequence[str | None]) -> Dates | None:
    texts = pa.array([value for value in values if value], pa.large_string())
    if not len(texts) or pc.all(pc.match_substring_regex(texts, r"^\d*\.?\d*$")).as_py():
        return None  # Numbers may count anything.
    if freq := _freq(parse_iso8601(texts)):
        return Dates(name, freq)
    fitting = [(freq, form) for form in (*DAY_FIRST, *MONTH_FIRST) if (freq := _freq(_by(texts, form))) is not None]
    return Dates(name, fitting[0][0], (fitting[0][1],)) if len(fitting) == 1 else None


def _by(texts: TextColumn, form: str) -> ParsedTimes:
    return parse_strptime(texts, [form])


def _freq(times: ParsedTimes) -> str | None:
    """By how far apart they lie; None where one is no time."""
    moments = times.utc(UTC)
    if moments.null_count:
        return None
    bounds = pc.min_max(moments).as_py()
    span = timedelta(seconds=(bounds["max"] - bounds["min"]) // SECOND_US)
    return next((freq for longest, freq in _SPANS if span <= longest), "year")


def url_column(columns: Columns) -> str | None:
    """The first of which all values are URLs."""
    return next((name for name, values in columns.items() if name and are_urls(values)), None)


def are_urls(values: Sequence[str | None]) -> bool:
    """Whether there are some, and each begins as those of the web do."""
    return bool(values) and all(value is not None and value.startswith(("http://", "https://")) for value in values)


def columns_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Columns:
    """[["1", "a"], ["2"]] under id and key -> {"id": ["1", "2"], "key": ["a", None]}."""
    filled = [[*row, *[""] * (len(names) - len(row))] for row in rows]
    return {name: [row[index] or None for row in filled] for index, name in enumerate(names)}
