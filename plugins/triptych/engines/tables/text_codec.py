"""Raw values of CSV and JSON as text and back, a column at a time."""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF8
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from triptych.engines.arrays.text_columns import BytesColumn, TextColumn, any_true, by_unique, holds, replaced, scalar
from triptych.engines.dialects.dialect import Dialect
from triptych.engines.streams.contents import in_quotes

_MOST_PARSED = 2**30
"""Bytes; Arrow counts those of a block in 32 bits."""


class NoTextError(ValueError):
    """The value with this index in a column means no text."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


def unquoted(raw: BytesColumn, dialect: Dialect) -> TextColumn:
    """CSV's values as their text, strictly (RFC 4180): a quote that opens a value closes at its end.

    `a` -> `a`; `"b, ""c"" d"` -> `b, "c" d`; `5" disk` as it is. NoTextError for one that does not, or is no UTF-8.
    """
    try:
        return _unquoted(raw, dialect)
    except (ValueError, csv.Error) as error:
        for index, value in enumerate(raw.to_pylist()):
            try:
                _parsed(value.decode(), dialect)
            except UnicodeDecodeError as reason:
                msg = f"{in_quotes(value[:60])} is no UTF-8: {reason.reason}. Convert the file first."
                raise NoTextError(msg, index) from error
            except csv.Error as reason:
                msg = f"{in_quotes(value[:60])} is not right in its quotes: {reason}. Correct it."
                raise NoTextError(msg, index) from error
        raise


def plain_columns(records: bytes, dialect: Dialect, width: int) -> list[TextColumn] | None:
    """The texts of whole records, of which each has so many values, as Arrow parses them: of a third of the time.

    None where it could read them otherwise (quotes, escapes, comments, a mark, carriage returns that end nothing), or
    where a record has another number of values or is no UTF-8, of which Arrow's message would not say which one.
    """
    marks = dialect.quote_char + dialect.escape_char
    if any(mark.encode() in records for mark in marks) or dialect.comment_prefix or records.startswith(BOM_UTF8):
        return None
    if (b"\r" in records and not dialect.cr_ends) or not 0 < len(records) < _MOST_PARSED or not width:
        return None
    names = [str(index) for index in range(width)]
    try:
        found = arrow_csv.read_csv(
            pa.BufferReader(records),
            arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(records) + 1),
            arrow_csv.ParseOptions(delimiter=dialect.delimiter, quote_char=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string()), null_values=[]),
        )
    except pa.ArrowException:
        return None
    return [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in found.columns]


def _unquoted(raw: BytesColumn, dialect: Dialect) -> TextColumn:
    texts = raw.cast(pa.large_string())
    quote = dialect.quote_char
    if dialect.escape_char and holds(texts, dialect.escape_char.encode()):
        return by_unique(texts, partial(_parsed, dialect=dialect))
    if not quote or not holds(texts, quote.encode()):
        return texts
    begins = pc.starts_with(texts, quote)
    wholly = pc.match_substring_regex(texts, _wholly_quoted(quote))
    inner = pc.binary_slice(raw.filter(wholly), 1, -1).cast(pa.large_string())
    texts = pc.replace_with_mask(texts, wholly, pc.replace_substring(inner, quote * 2, quote))
    return replaced(texts, pc.and_not(begins, wholly), partial(_parsed, dialect=dialect))


def _wholly_quoted(quote: str) -> str:
    mark = re.escape(quote)
    return f"(?s)^{mark}([^{mark}]|{mark}{mark})*{mark}$"


def _parsed(text: str, dialect: Dialect) -> str:
    row = next(csv.reader([text], strict=True, **dialect.csv_options()), [""])
    if len(row) > 1:
        msg = "a quote inside it holds a delimiter"
        raise csv.Error(msg)
    return row[0]


def quoted(texts: TextColumn, delimiter: str) -> TextColumn:
    """As the csv module writes them, in quotes only where they need it: `a` -> `a`; `b, "c" d` -> `"b, ""c"" d"`."""
    needy = pc.match_substring_regex(texts, f'[{delimiter}"\r\n]')
    if not any_true(needy):
        return texts
    inner = pc.replace_substring(texts.filter(needy), '"', '""')
    return pc.replace_with_mask(texts, needy, pc.binary_join_element_wise(scalar('"'), inner, scalar('"'), scalar("")))


def json_text(raw: TextColumn) -> TextColumn:
    """JSON's values as what a string's characters are, else as they are; null is null.

    `"a"` -> `a`; `1.50` -> `1.50`; `[1]` -> `[1]`.
    """
    raw = pc.if_else(pc.equal(raw, "null"), None, raw)
    strings = pc.starts_with(raw, '"').fill_null(False)
    inner = pc.binary_slice(raw.filter(strings).cast(pa.large_binary()), 1, -1).cast(pa.large_string())
    return replaced(
        pc.replace_with_mask(raw, strings, inner),
        pc.and_(strings, pc.match_substring(raw, "\\").fill_null(False)),
        lambda text: json.loads(f'"{text}"'),
    )
