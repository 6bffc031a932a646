"""A file of a table opened: what it is, its dialect, and its header, once for every engine."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO

from triptych.engines.dialects.dialect import FORMATS, LINES, Declared, Dialect, twice
from triptych.engines.dialects.finding import LOOKED_AT_BYTES, found_delimiter
from triptych.engines.dialects.formats import DELIMITERS, format_of
from triptych.engines.dialects.record_ends import count_lines, first_record, split_records
from triptych.engines.streams.contents import UTF_8, as_text, first_bytes, in_quotes
from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from triptych.engines.api import Input

DIALECT, COLUMNS = "dialect", "columns_digest"
"""Keys of a chunk's metadata: what its text is written in, and which header each chunk begins with."""
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class Opened:
    """`item` is what to read, in place of the source or result: its text is in `dialect.encoding`.

    `header` is [start, body) of the item: repeated in each chunk. `names` are its columns, each as it is written.
    """

    item: Input
    format: str
    dialect: Dialect
    start: int
    header: bytes
    names: Sequence[str]
    lines: int = 0
    """How many lines end in front of `body`."""

    @property
    def body(self) -> int:
        """Where records begin."""
        return self.start + len(self.header)

    def to_metadata(self) -> dict[str, Any]:
        """For each chunk of a table: its dialect, and its header's digest."""
        if self.format not in DELIMITERS:
            return {}
        digest = {COLUMNS: columns_digest(self.names)} if self.header else {}
        return {DIALECT: self.dialect.to_metadata(), **digest}


def refuse_other_table(table: Opened, first: Opened) -> None:
    """Raises the table's error where its columns, or how it is written, are not those of the first."""
    if list(table.names) != list(first.names):
        is_same = sorted(table.names) == sorted(first.names)
        text = (
            f"its header {_start_of(table.header)} is not that of {first.item.label}, {_start_of(first.header)}: "
            f"it has {'the same columns in another order' if is_same else 'other columns'}. Give all the same header."
        )
        raise table.item.error(text)
    one, other = (replace(each.dialect, decimal=".", skip_rows=0) for each in (table, first))
    if one != other:
        text = (
            f"is written with {one.described()}, and {first.item.label} with {other.described()}. Convert one of them."
        )
        raise table.item.error(text)


def refuse_double_names(table: Opened) -> None:
    """Raises the table's error where two of its columns have one name."""
    if (name := twice(table.names)) is not None:
        text = f"two of its columns are called {name!r}. Give each a name of its own."
        raise table.item.error(text)


def _start_of(header: bytes) -> str:
    return in_quotes(header[:200])


def columns_digest(names: Sequence[str]) -> str:
    """16 hexadecimal digits that two lists of names share only if they are the same."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()[:16]


def opened(
    item: Input,
    params: Mapping[str, Any],
    *,
    otherwise: str = "csv",
    format: str | None = None,
    binaries: Collection[str] = (),
    in_utf8: bool = True,
) -> Opened:
    """By the parameters `format` and `dialect`; `format` is the engine's own word for the first, where it has one.

    With `in_utf8` text in another encoding is decoded, else only where it cannot be cut as it is. Raises the item's
    error for what is no text and none of `binaries`.
    """
    declared = Declared.of(params)
    text, encoding = as_text(item, encoding=declared.encoding, binaries=binaries, in_utf8=in_utf8)
    declared = replace(declared, encoding=encoding)
    found = format_of(text, format or params.get("format") or "auto", otherwise) if text.size else otherwise
    if found not in DELIMITERS:
        return Opened(text, found, _of_lines(text, declared), 0, b"", ())
    made = _table(text, found, declared)
    _log.info("%s: %s, %s", item.label, found, made.dialect.described())
    return made


def _of_lines(item: Input, declared: Declared) -> Dialect:
    """Lines end with a carriage return where the file's beginning has those only."""
    head = first_bytes(item, LOOKED_AT_BYTES) if item.size else b""
    return replace(LINES, cr_ends=b"\r" in head and b"\n" not in head, encoding=declared.encoding or UTF_8)


def _table(item: Input, format: str, declared: Declared) -> Opened:
    dialect = declared.over(FORMATS[format])
    if not item.size:
        return Opened(item, format, dialect, 0, b"", ())
    with item.open() as data:
        start, lines = _start(data, item, dialect)
        data.seek(start)
        head = data.read(LOOKED_AT_BYTES)
        if declared.delimiter is None and format in ("csv", "tsv"):
            dialect = replace(dialect, delimiter=found_delimiter(head, dialect, is_whole=len(head) < LOOKED_AT_BYTES))
        header = _header(chain([head], _blocks(data)), item, dialect)
    return Opened(
        item, format, dialect, start, header, _names(header, item, dialect, start), lines + count_lines(header)
    )


def _blocks(data: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: data.read(LOOKED_AT_BYTES), b"")


def _start(data: BinaryIO, item: Input, dialect: Dialect) -> tuple[int, int]:
    """Where the header, or what is in its place, begins; and the number of lines, skipped or no records, before it."""
    start = number = 0
    lines = split_records(_blocks(data), item, replace(LINES, cr_ends=True), scanned_bytes=LOOKED_AT_BYTES)
    for number, line in enumerate(lines):
        plain = line.removeprefix(BOM_UTF8) if not number else line
        is_comment = dialect.comment_prefix and plain.startswith(dialect.comment_prefix.encode())
        if number >= dialect.skip_rows and plain.strip(b"\r\n") and not is_comment:
            break
        start += len(line)
    return start, number


def _header(blocks: Iterator[bytes], item: Input, dialect: Dialect) -> bytes:
    records = split_records(blocks, item, dialect, scanned_bytes=LOOKED_AT_BYTES)
    if not dialect.header_prefixes:
        return b"".join(islice(records, dialect.header_rows))
    header = []
    for record in records:
        if not record.startswith(tuple(prefix.encode() for prefix in dialect.header_prefixes)):
            break
        header.append(record)
    return b"".join(header)


def _names(header: bytes, item: Input, dialect: Dialect, start: int) -> Sequence[str]:
    """Those of the first record of the header, or of the last that begins as headers do."""
    if dialect.columns:
        return dialect.columns
    if not header and dialect.header_rows:
        return []
    if not header:
        record = first_record(item, dialect, start)
        return [f"column{index}" for index in range(len(_names(record, item, replace(dialect, header_rows=1), start)))]
    try:
        text = header.decode(dialect.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        encoding = _shown(dialect.encoding)
        msg = f"the header {in_quotes(header[:60])} is no {encoding}. Set dialect.encoding, or convert the file."
        raise item.error(msg) from error
    if dialect.header_prefixes:
        text = text.rstrip("\r\n").rpartition("\n")[2]
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), **dialect.csv_options()), [])
    except csv.Error as error:
        msg = f"the header {in_quotes(header[:60])} cannot be taken apart: {error}. Correct it."
        raise item.error(msg) from error
    return names


def _shown(encoding: str) -> str:
    return "UTF-8" if encoding == UTF_8 else encoding
