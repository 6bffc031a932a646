"""Records of CSV, or lines, in batches with the raw values of some columns as arrays: no loop looks at each record.

Columns of bytes point into the block that was read where that is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Mask, Octets, Offsets, Words
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import BytesColumn, TextColumn
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.record_ends import (
    NEWLINE,
    QUOTE,
    RETURN,
    gathered,
    header_names,
    header_record,
    outside_quotes,
    set_among,
)
from triptych.engines.tables.text_codec import NoTextError, unquoted

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
        return _location(self.offset + start, self.line + self.data.count(b"\n", 0, start))


def _location(offset: int, lines_before: int) -> str:
    return f"the record at byte {offset} (line {lines_before + 1})"


def line_batches(
    blocks: Iterable[bytes], item: Input, *, blank: bool = True, batch_bytes: int = BATCH_BYTES
) -> Iterator[Batch]:
    """Lines that are not empty, and not of white space only unless `blank`, in batches of about `batch_bytes`.

    Raises the item's error for a line beyond `longest_line`.
    """
    for window in _windows(blocks, item, batch_bytes, quoted=False):
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
    """A CSV or TSV file: its header as it is, and the names in it. Each reading of its other records reads it anew."""

    item: Input
    delimiter: str
    header: bytes
    names: Sequence[str]
    batch_bytes: int = BATCH_BYTES

    def batches(self, columns: Sequence[str], *, exact: bool = False) -> Iterator[tuple[Batch, list[BytesColumn]]]:
        """Records with the raw values, quotes and all, of the named columns.

        Raises the item's error for a column that is not in the header, for a record that lacks one of the columns, and
        with `exact` for one that has fewer or more values than the header.
        """
        missing = [column for column in columns if column not in self.names]
        if missing:
            text = f"there is no column {missing[0]!r}; the header has {', '.join(self.names)}."
            raise self.item.error(text)
        wanted = [self.names.index(column) for column in columns]
        width = len(self.names) if exact else None
        return _csv_batches(self, wanted, width)

    def texts(self, columns: Sequence[str], *, exact: bool = False) -> Iterator[tuple[Batch, list[TextColumn]]]:
        """The same with what the values mean; the item's error for one that is not right in its quotes, or no UTF-8."""
        for batch, raws in self.batches(columns, exact=exact):
            try:
                yield batch, [unquoted(raw, self.delimiter) for raw in raws]
            except NoTextError as error:
                msg = f"{batch.location(error.index)}: {error}"
                raise self.item.error(msg) from error


def csv_table(item: Input, delimiter: str, *, batch_bytes: int = BATCH_BYTES) -> CsvTable:
    """Reads the header; raises the item's error where that is no UTF-8."""
    header = header_record(item)
    return CsvTable(item, delimiter, header, header_names(header, delimiter, item), batch_bytes)


def _csv_batches(
    table: CsvTable, wanted: Sequence[int], width: int | None
) -> Iterator[tuple[Batch, list[BytesColumn]]]:
    skipped = 1  # The header.
    for window in _windows(table.item.stream(), table.item, table.batch_bytes, quoted=True):
        found = _separated(window, table.delimiter)
        batch = Batch(window.data, found.starts[skipped:], found.ends[skipped:], window.offset, window.line)
        first, last = found.first[skipped:], found.last[skipped:]
        _check_width(batch, last - first, wanted, width, table.item)
        yield batch, [found.column(window.data, first + index) for index in wanted]
        skipped = 0


def csv_columns(records: bytes, delimiter: str, count: int) -> list[BytesColumn]:
    """The raw values of the first `count` columns of records that are whole, have line ends and so many values.

    `1,"a,b"` and `2,c`, each with its line end -> [b"1", b"2"], [b'"a,b"', b"c"].
    """
    found = _separated(_Window(records, 0, 0, _last_end(records, quoted=True)[1]), delimiter)
    return [found.column(records, found.first + index) for index in range(count)]


@dataclass(frozen=True)
class _Window:
    """Whole records, of which the last always ends with a line end, from byte `offset` and behind `line` line ends.

    `outside` has a bit for each byte that is not inside quotes; None where all are.
    """

    data: bytes
    offset: int
    line: int
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

    def column(self, data: bytes, values: Offsets) -> BytesColumn:
        """The raw values that end at the separators of these indices; the first begins at the data's beginning."""
        stops = self.separators[values]
        begins = np.where(values > 0, self.separators[values - 1] + 1, 0)
        if RETURN in data:
            before = self.octets[np.maximum(stops - 1, 0)]
            stops = stops - ((self.octets[stops] == NEWLINE) & (stops > begins) & (before == RETURN))
        return slices(data, begins, stops)


def _separated(window: _Window, delimiter: str) -> _Separated:
    octets = np.frombuffer(window.data, np.uint8)
    marks = (octets == NEWLINE) | (octets == ord(delimiter))
    separators = np.flatnonzero(marks) if window.outside is None else set_among(marks, window.outside)
    # Record r has the separators from behind breaks[r - 1] to breaks[r].
    breaks = np.flatnonzero(octets[separators] == NEWLINE)
    starts, ends, not_empty = _not_empty(octets, separators[breaks])
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


def _windows(blocks: Iterable[bytes], item: Input, batch_bytes: int, *, quoted: bool) -> Iterator[_Window]:
    """Whole records of about `batch_bytes`; the item's error for one that is too large, or whose quote never closes."""
    most = resources().longest_line().bytes
    rest, offset, line = b"", 0, 0
    for block in gathered(blocks, batch_bytes):
        data = rest + block
        used, outside = _last_end(data, quoted=quoted)
        if used:
            yield _Window(data[:used], offset, line, outside)
            line += int(np.count_nonzero(np.frombuffer(data, np.uint8, used) == NEWLINE))
        rest, offset = data[used:], offset + used
        if len(rest) > most:
            advice = "Is a quote never closed? Correct the file." if quoted else ""
            raise resources().longest_line(_location(offset, line)).exceeded(item, advice)
    if rest and quoted and rest.count(QUOTE) % 2:
        msg = f"a quote opened in {_location(offset, line)} is never closed. Correct the file."
        raise item.error(msg)
    if rest:
        yield _Window(rest + b"\n", offset, line, _last_end(rest + b"\n", quoted=quoted)[1])


def _last_end(data: bytes, *, quoted: bool) -> tuple[int, Words | None]:
    """Behind the last whole record; and the bytes outside quotes, as bits, where there are quotes."""
    if not quoted or QUOTE not in data:
        return data.rfind(b"\n") + 1, None
    octets = np.frombuffer(data, np.uint8)
    outside = outside_quotes(octets)
    ends = set_among(octets == NEWLINE, outside)
    return (int(ends[-1]) + 1 if len(ends) else 0), outside
