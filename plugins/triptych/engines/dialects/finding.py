"""The delimiter that a file's beginning shows, where none is declared."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from triptych.engines.dialects.dialect import Dialect, delimiters_to_try

LOOKED_AT_BYTES = 64 * 1024
LOOKED_AT_RECORDS = 200


def found_delimiter(head: bytes, dialect: Dialect, *, is_whole: bool) -> str:
    """That which takes all records apart into as many values as the first one, at least two; else the format's own.

    The format's own goes before others. `head` begins with the header, and `is_whole` when it is all that there is.
    `id;price` and `1;2,5` -> `;`, since a comma leaves the header one value and the record two.
    """
    text = head.decode(dialect.encoding, "replace").removeprefix("\ufeff")
    fitting = (
        each for each in delimiters_to_try(dialect) if _fits(text, replace(dialect, delimiter=each), is_whole=is_whole)
    )
    return next(fitting, dialect.delimiter)


def _fits(text: str, dialect: Dialect, *, is_whole: bool) -> bool:
    widths = list(islice(_widths(text, dialect, is_whole=is_whole), LOOKED_AT_RECORDS))
    return bool(widths) and widths[0] > 1 and set(widths) == {widths[0]}


def _widths(text: str, dialect: Dialect, *, is_whole: bool) -> Iterator[int]:
    """How many values each record has, those left out that are empty or comments; the last one may be cut off."""
    csv.field_size_limit(sys.maxsize)
    lines = io.StringIO(text, newline="")
    rows = csv.reader(_without_comments(lines, dialect), **dialect.csv_options())
    previous: int | None = None
    try:
        for row in rows:
            if row:
                if previous is not None:
                    yield previous
                previous = len(row)
    except csv.Error:
        return
    if previous is not None and is_whole:
        yield previous


def _without_comments(lines: io.StringIO, dialect: Dialect) -> Iterator[str]:
    return (line for line in lines if not (dialect.comment_prefix and line.startswith(dialect.comment_prefix)))
