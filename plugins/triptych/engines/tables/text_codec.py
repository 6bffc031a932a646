"""Raw values of CSV and JSON as text and back, a column at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from triptych.engines.runtime.resources import need

WHOLLY_QUOTED = r'(?s)^"([^"]|"")*"$'


class NoTextError(ValueError):
    """The value number `at` of a column means no text."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def unquoted(raw: Any, delimiter: str) -> Any:
    """CSV's values, bytes, as large strings, strictly (RFC 4180): a quote that opens a value closes at its end.

    NoTextError for one that does not, or is no UTF-8.
    """
    try:
        return _unquoted(raw, delimiter)
    except (ValueError, csv.Error) as error:
        for at, value in enumerate(raw.to_pylist()):
            try:
                _parsed(value.decode(), delimiter)
            except UnicodeDecodeError as fault:
                msg = f"{value[:60]!r} is no UTF-8: {fault.reason}. Convert the file first."
                raise NoTextError(msg, at) from error
            except csv.Error as fault:
                msg = f"{value[:60]!r} is not right in its quotes: {fault}. Correct it."
                raise NoTextError(msg, at) from error
        raise


def _unquoted(raw: Any, delimiter: str) -> Any:
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    texts = raw.cast(pa.large_string())
    if not holds(texts, b'"'):
        return texts
    has_quotes = pc.match_substring(texts, '"')
    quoted = pc.match_substring_regex(texts, WHOLLY_QUOTED)
    inner = pc.binary_slice(raw.filter(quoted), 1, -1).cast(pa.large_string())
    texts = pc.replace_with_mask(texts, quoted, pc.replace_substring(inner, '""', '"'))
    return replaced(texts, pc.and_not(has_quotes, quoted), partial(_parsed, delimiter=delimiter))


def quoted(texts: Any, delimiter: str) -> Any:
    """As the csv module writes them: in quotes only where they need it."""
    pc = need("pyarrow.compute", "tables")
    needy = pc.match_substring_regex(texts, f'[{delimiter}"\r\n]')
    if not _any(needy):
        return texts
    inner = pc.replace_substring(texts.filter(needy), '"', '""')
    return pc.replace_with_mask(texts, needy, pc.binary_join_element_wise(scalar('"'), inner, scalar('"'), scalar("")))


def json_text(raw: Any) -> Any:
    """JSON's values, large strings, as what a string's characters are, else as they are; null is null."""
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    raw = pc.if_else(pc.equal(raw, "null"), None, raw)
    strings = pc.starts_with(raw, '"').fill_null(False)
    inner = pc.binary_slice(raw.filter(strings).cast(pa.large_binary()), 1, -1).cast(pa.large_string())
    return replaced(
        pc.replace_with_mask(raw, strings, inner),
        pc.and_(strings, pc.match_substring(raw, "\\").fill_null(False)),
        lambda text: json.loads(f'"{text}"'),
    )


def scalar(text: str) -> Any:
    """One large string, to be joined with columns of them."""
    pa = need("pyarrow", "tables")
    return pa.scalar(text, pa.large_string())


def joined_bytes(values: Any) -> bytes:
    """An array of large binaries or strings, without nulls, back to back."""
    import numpy as np

    if not len(values):
        return b""
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[[values.offset, values.offset + len(values)]].tolist()
    return data[ends[0] : ends[1]].to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types.


def holds(values: Any, *parts: bytes) -> bool:
    """Whether one of the bytes may be in large binaries or strings: no value by itself is looked at, nulls are too."""
    data = joined_bytes(values)
    return any(part in data for part in parts)


def by_unique(values: Any, work: Callable[[Any], Any], kind: Any = None) -> Any:
    """What `work` makes of each value, asked once for equal ones; null stays null. Large strings unless `kind` says."""
    pa = need("pyarrow", "tables")
    coded = values.dictionary_encode()
    made = [None if value is None else work(value) for value in coded.dictionary.to_pylist()]
    return pa.array(made, kind or pa.large_string()).take(coded.indices)


def replaced(texts: Any, mask: Any, work: Callable[[str], str]) -> Any:
    """`texts`, but where the mask is true what `work` makes of them; it is asked once for equal ones."""
    if not _any(mask):
        return texts
    return need("pyarrow.compute", "tables").replace_with_mask(texts, mask, by_unique(texts.filter(mask), work))


def _any(mask: Any) -> bool:
    return bool(need("pyarrow.compute", "tables").any(mask).as_py())


def _parsed(text: str, delimiter: str) -> str:
    row = next(csv.reader([text], delimiter=delimiter, strict=True), [""])
    if len(row) > 1:
        msg = "a quote inside it holds a delimiter"
        raise csv.Error(msg)
    return row[0]
