"""Records of CSV, or lines, in batches with the raw values of some columns as arrays: no loop looks at each record.

Columns of bytes point into the block that was read where that is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Mask, Octets, Offsets, Words
from triptych.engines.arrays.bitmasks import set_bits, to_words
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import BytesColumn, TextColumn
from triptych.engines.dialects.dialect import LINES, Dialect
from triptych.engines.dialects.opening import Opened, opened
from triptych.engines.dialects.quotes import NEWLINE, RETURN, QuoteScan, last_bit, line_ends
from triptych.engines.dialects.record_ends import count_lines, from_byte, gathered, set_among
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.text_codec import NoTextError, plain_columns, unquoted

BATCH_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Batch:
    """Whole records: number i is data[starts[i]:ends[i]], with its line end, which the file's last one may lack.

    Empty lines are left out. `offset` says where data[0] is in the file, `line` how many line ends are before it.
    """

    data: bytes
    starts: Offsets
    ends: Offsets
    offset: int
    line: int

    def __len__(self) -> int:
        return len(self.starts)

    def records(self, order: Offsets | None = None) -> BytesColumn:
        """Their bytes with line ends, all or those of these indices in this order."""
        return slices(self.data, self.starts, self.ends, order)

    def location(self, index: int) -> str:
        """Where a record is, for messages: `the record at byte 12 (line 3)`; lines from 1, bytes from 0."""
        start = int(self.starts[index])
        return _location(self.offset + start, self.line + count_lines(self.data[:start]))


def _location(offset: int, lines_before: int) -> str:
    return f"the record at byte {offset} (line {lines_before + 1})"


def line_batches(
    blocks: Iterable[bytes], item: Input, *, blank: bool = True, batch_bytes: int = BATCH_BYTES
) -> Iterator[Batch]:
    """Lines that are not empty, and not of white space only unless `blank`, in batches of about `batch_bytes`.

    Raises the item's error for a line beyond `longest_line`.
    """
    for window in _windows(blocks, item, batch_bytes, LINES):
        octets = np.frombuffer(window.data, np.uint8)
        starts, ends, _ = _not_empty(octets, np.flatnonzero(octets == NEWLINE))
        batch = Batch(window.data, starts, ends, window.offset, window.line)
        yield batch if blank else _without_blank(batch, octets)


def _without_blank(batch: Batch, octets: Octets) -> Batch:
    indented = np.flatnonzero(octets[batch.starts] <= ord(" ")).tolist()
    blank = [index for index in indented if not batch.data[batch.starts[index] : batch.ends[index]].strip()]
    return replace(batch, starts=np.delete(batch.starts, blank), ends=np.delete(batch.ends, blank))


@dataclass(frozen=True)
class CsvTable:
    """A file of delimited text: its header as it is, and the names in it. Each reading of its records reads it anew."""

    opened: Opened
    batch_bytes: int = BATCH_BYTES

    @property
    def item(self) -> Input:
        """What is read, in place of the source or result."""
        return self.opened.item

    @property
    def dialect(self) -> Dialect:
        """How it is written."""
        return self.opened.dialect

    @property
    def header(self) -> bytes:
        """As it stands in the file."""
        return self.opened.header

    @property
    def names(self) -> Sequence[str]:
        """Of the columns."""
        return self.opened.names

    def batches(self, columns: Sequence[str], *, exact: bool = False) -> Iterator[tuple[Batch, list[BytesColumn]]]:
        """Records with the raw values, quotes and all, of the named columns.

        Raises the item's error for a column that is not in the header, or twice, for a record that lacks one of the
        columns, and with `exact` for one that has fewer or more values than the header.
        """
        missing = [column for column in columns if column not in self.names]
        if missing:
            text = f"there is no column {missing[0]!r}; the header has {', '.join(self.names)}."
            raise self.item.error(text)
        twice = [column for column in columns if self.names.count(column) > 1]
        if twice:
            text = f"the column {twice[0]!r} is there twice. Give its columns different names."
            raise self.item.error(text)
        wanted = [self.names.index(column) for column in columns]
        width = len(self.names) if exact else None
        return _csv_batches(self, wanted, width)

    def whole(self) -> Iterator[tuple[Callable[[int], str], list[TextColumn]]]:
        """The text of all values of some records, which are as many as the header has; and what says where one is."""
        everything = range(len(self.names))
        for window in _table_windows(self):
            texts = plain_columns(window.data, self.dialect, len(everything))
            if texts is not None:
                yield partial(_located, window, self.dialect), texts
                continue
            found = _wanted(window, self, everything, len(everything))
            yield from ((batch.location, columns) for batch, columns in self._texts(iter([found])))

    def texts(self, columns: Sequence[str], *, exact: bool = False) -> Iterator[tuple[Batch, list[TextColumn]]]:
        """The same with what the values mean; the item's error for one that is not right in its quotes, or no UTF-8."""
        return self._texts(self.batches(columns, exact=exact))

    def _texts(self, batches: Iterator[tuple[Batch, list[BytesColumn]]]) -> Iterator[tuple[Batch, list[TextColumn]]]:
        for batch, raws in batches:
            try:
                yield batch, [unquoted(raw, self.dialect) for raw in raws]
            except NoTextError as error:
                msg = f"{batch.location(error.index)}: {error}"
                raise self.item.error(msg) from error


def csv_table(item: Input, params: Mapping[str, Any], format: str | None = None) -> CsvTable:
    """Reads the header; `params` are the engine's, with `dialect`. Raises the item's error where it is no text."""
    return CsvTable(opened(item, params, format=format))


def _csv_batches(
    table: CsvTable, wanted: Sequence[int], width: int | None
) -> Iterator[tuple[Batch, list[BytesColumn]]]:
    return (_wanted(window, table, wanted, width) for window in _table_windows(table))


def _table_windows(table: CsvTable) -> Iterator[_Window]:
    start = table.opened
    blocks = from_byte(table.item, start.body)
    return _windows(blocks, table.item, table.batch_bytes, table.dialect, start.body, start.lines)


def _wanted(
    window: _Window, table: CsvTable, wanted: Sequence[int], width: int | None
) -> tuple[Batch, list[BytesColumn]]:
    """The raw values of these columns."""
    found = _separated(window, table.dialect)
    batch = found.batch(window)
    _check_width(batch, found.last - found.first, wanted, width, table.item)
    return batch, [found.column(window.data, found.first + index) for index in wanted]


def _located(window: _Window, dialect: Dialect, index: int) -> str:
    """As `Batch.location`; only here are the records of what Arrow has parsed looked for."""
    return _separated(window, dialect).batch(window).location(index)


def csv_columns(records: bytes, dialect: Dialect, count: int) -> list[BytesColumn]:
    """The raw values of the first `count` columns of records that are whole, have line ends and so many values.

    `1,"a,b"` and `2,c`, each with its line end -> [b"1", b"2"], [b'"a,b"', b"c"].
    """
    scan = _scanned(records, dialect)
    found = _separated(_Window(records, 0, 0, scan.breaks, scan.outside), dialect)
    return [found.column(records, found.first + index) for index in range(count)]


@dataclass(frozen=True)
class _Window:
    """Whole records, of which the last always ends with a line end, from byte `offset` and behind `line` line ends.

    `breaks` has a bit for each byte that ends a record; `outside` one for each that is not inside quotes, None where
    all are.
    """

    data: bytes
    offset: int
    line: int
    breaks: Words
    outside: Words | None


@dataclass(frozen=True)
class _Separated:
    """Where values end: `separators` are the indices of delimiters and line ends outside quotes.

    Record r is data[starts[r]:ends[r]]; its values end at separators[first[r]] ... separators[last[r]]. So of
    `a,b` and `c,d` with line ends: separators [1, 3, 5, 7], starts [0, 4], ends [4, 8], first [0, 2], last [1, 3].
    """

    octets: Octets
    separators: Offsets
    starts: Offsets
    ends: Offsets
    first: Offsets
    last: Offsets

    def batch(self, window: _Window) -> Batch:
        return Batch(window.data, self.starts, self.ends, window.offset, window.line)

    def column(self, data: bytes, values: Offsets) -> BytesColumn:
        """The raw values that end at the separators of these indices; the first begins at the data's beginning."""
        stops = self.separators[values]
        begins = np.where(values > 0, self.separators[values - 1] + 1, 0)
        if RETURN in data:
            before = self.octets[np.maximum(stops - 1, 0)]
            stops = stops - ((self.octets[stops] == NEWLINE) & (stops > begins) & (before == RETURN))
        return slices(data, begins, stops)


def _separated(window: _Window, dialect: Dialect) -> _Separated:
    octets = np.frombuffer(window.data, np.uint8)
    delimiter = ord(dialect.delimiter)
    if b"\r" in window.data and dialect.cr_ends:
        words = to_words(octets == delimiter)
        if window.outside is not None:
            words &= window.outside[: len(words)]
        separators = set_bits(words | window.breaks[: len(words)])
        separators = separators[: np.searchsorted(separators, len(octets))]
    else:
        marks = (octets == NEWLINE) | (octets == delimiter)
        separators = np.flatnonzero(marks) if window.outside is None else set_among(marks, window.outside)
    # Record r has the separators from behind breaks[r - 1] to breaks[r].
    breaks = np.flatnonzero(octets[separators] != delimiter)
    ends = separators[breaks]
    starts, ends, not_empty = _not_empty(octets, ends)
    if dialect.comment_prefix:
        prefix = dialect.comment_prefix.encode()
        counts: Mask = np.array([not window.data.startswith(prefix, start) for start in starts.tolist()], np.bool_)
        not_empty[not_empty] = counts
        starts, ends = starts[counts], ends[counts]
    first = np.concatenate(([0], breaks[:-1] + 1))[not_empty]
    return _Separated(octets, separators, starts, ends, first, breaks[not_empty])


def _check_width(batch: Batch, delimiters: Offsets, wanted: Sequence[int], width: int | None, item: Input) -> None:
    """`delimiters` counts those of each record; `width` is how many values each must have, if that matters."""
    short = delimiters < (max(wanted, default=0) if width is None else width - 1)
    if short.any():
        msg = f"{batch.location(int(short.argmax()))} has not as many columns as the header. Correct it."
        raise item.error(msg)
    if width is not None and (long := delimiters > width - 1).any():
        msg = f"{batch.location(int(long.argmax()))} has more values than the header. Correct it."
        raise item.error(msg)


def _not_empty(octets: Octets, breaks: Offsets) -> tuple[Offsets, Offsets, Mask]:
    """Starts and ends of the records that the line feeds at `breaks` end, without empty lines; and which these are.

    Of two lines `a` and `b` with an empty one between them: [1, 2, 4] -> [0, 3], [2, 5], [True, False, True].
    """
    ends = breaks + 1
    starts = np.concatenate(([0], ends[:-1]))
    lengths = breaks - starts
    not_empty = (lengths > 1) | ((lengths == 1) & (octets[starts] != RETURN))
    return starts[not_empty], ends[not_empty], not_empty


def _windows(
    blocks: Iterable[bytes], item: Input, batch_bytes: int, dialect: Dialect, offset: int = 0, line: int = 0
) -> Iterator[_Window]:
    """Whole records of about `batch_bytes`; the item's error for one that is too large, or whose quote never closes.

    The first block begins at byte `offset`, behind `line` line ends.
    """
    most = resources().longest_line().bytes
    rest = b""
    for block in gathered(blocks, batch_bytes):
        data = rest + block
        scan = _scanned(data, dialect)
        end = _last_end(data, scan.breaks)
        rest = data[end:]
        if end:
            yield _Window(data[:end], offset, line, scan.breaks, scan.outside)
            line += scan.lines - count_lines(rest)
        offset += end
        if len(rest) > most:
            advice = "Is a quote never closed? Correct the file." if dialect.quote_char else ""
            raise resources().longest_line(_location(offset, line)).exceeded(item, advice)
    if not rest:
        return
    if not rest.endswith((b"\n", b"\r") if dialect.cr_ends else b"\n"):
        rest += b"\n"
    scan = _scanned(rest, dialect)
    if scan.is_open:
        msg = f"a quote opened in {_location(offset, line)} is never closed. Correct the file."
        raise item.error(msg)
    yield _Window(rest, offset, line, scan.breaks, scan.outside)


@dataclass(frozen=True)
class _Scan:
    """The bytes that end records, as bits; those outside quotes, if there are quotes; whether it ends inside some.

    `lines` is how many lines end, inside quotes too.
    """

    breaks: Words
    outside: Words | None
    is_open: bool
    lines: int


def _scanned(data: bytes, dialect: Dialect) -> _Scan:
    octets = np.frombuffer(data, np.uint8)
    buffer = np.empty(len(octets), np.bool_)
    ends = line_ends(data, octets, buffer, cr=dialect.cr_ends)
    scan = QuoteScan(dialect)
    outside = scan.outside(data, octets, ends, buffer)
    # The bits know: to look at each byte again takes longer than all before. But they may leave out returns.
    lines = int(np.bitwise_count(ends).sum()) if dialect.cr_ends or b"\r" not in data else count_lines(data)
    return _Scan(ends if outside is None else ends & outside, outside, scan.inside, lines)


def _last_end(data: bytes, breaks: Words) -> int:
    """Behind the last whole record. A carriage return at the very end may be half a line end."""
    end = last_bit(breaks) + 1
    if end == len(data) and data.endswith(b"\r"):
        words = breaks.copy()
        words[(end - 1) >> 6] ^= np.uint64(1 << ((end - 1) & 63))
        end = last_bit(words) + 1
    return end
