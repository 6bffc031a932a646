"""Raw values of CSV and JSON as text and back, a column at a time."""

from __future__ import annotations

import csv
import json
import re
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.text_columns import BytesColumn, TextColumn, any_true, by_unique, holds, replaced, scalar
from triptych.engines.dialects.dialect import Dialect
from triptych.engines.streams.contents import in_quotes


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
