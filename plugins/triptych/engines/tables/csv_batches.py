"""A text table's records in batches, with the raw values of some columns, as arrays: no loop looks at each record.

Arrays of bytes are pyarrow's LargeBinaryArray. They point into the block that was read where that is possible.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.engines.arrays.slices import slices
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.record_ends import NEWLINE, QUOTE, RETURN, gathered, outside_quotes, places, split_records
from triptych.errors import SourceError

BATCH_BYTES = 2 * 1024 * 1024
MEMORY_SHARE = 8
"""A record is held up to four times while it is looked for."""


@dataclass(frozen=True)
class Batch:
    """Whole records: number i is data[starts[i]:ends[i]], with its line end, which the source's last one may lack.

    Empty lines are left out. `offset` says where data[0] is in the source, `line` how many line ends are before it.
    """

    data: bytes
    starts: Any
    ends: Any
    offset: int
    line: int

    def __len__(self) -> int:
        return len(self.starts)

    def records(self, order: Any = None) -> Any:
        """Their bytes, in this order of their numbers."""
        return slices(self.data, self.starts, self.ends, order)

    def place(self, number: int) -> str:
        """Where a record is, for messages."""
        start = int(self.starts[number])
        line = self.line + self.data.count(b"\n", 0, start) + 1
        return f"the record at byte {self.offset + start} (line {line})"


def line_batches(blocks: Iterable[bytes], uri: str) -> Iterator[Batch]:
    """Lines; SourceError for one that is larger than an eighth of the memory."""
    import numpy as np

    for data, offset, line, _ in _whole_records(blocks, uri, quoted=False):
        codes = np.frombuffer(data, np.uint8)
        starts, ends, _ = _filled(codes, np.flatnonzero(codes == NEWLINE))
        yield Batch(data, starts, ends, offset, line)


@dataclass(frozen=True)
class Table:
    """A CSV or TSV source: its header as it is, the names in it, and its other records."""

    header: bytes
    names: Sequence[str]
    batches: Callable[[Sequence[str]], Iterator[tuple[Batch, list[Any]]]]
    """With the raw values, quotes and all, of the named columns, of which each must be in the header."""


def csv_table(blocks: Callable[[], Iterable[bytes]], uri: str, delimiter: str) -> Table:
    """`blocks` is called for each reading. SourceError for a header or record that cannot be read, with its place."""
    header = next(split_records(blocks(), uri, quoted=True), b"")
    names = _csv_values(header.removeprefix(b"\xef\xbb\xbf"), delimiter, uri)

    def batches(columns: Sequence[str]) -> Iterator[tuple[Batch, list[Any]]]:
        missing = [column for column in columns if column not in names]
        if missing:
            msg = f"{uri}: there is no column {missing[0]!r}; the header has {', '.join(names)}."
            raise SourceError(msg)
        wanted = [names.index(column) for column in columns]
        return _csv_batches(blocks(), uri, delimiter.encode(), wanted)

    return Table(header, names, batches)


def _csv_batches(
    blocks: Iterable[bytes], uri: str, delimiter: bytes, wanted: Sequence[int]
) -> Iterator[tuple[Batch, list[Any]]]:
    import numpy as np

    skipped = 1
    for data, offset, line, outside in _whole_records(blocks, uri, quoted=True):
        codes = np.frombuffer(data, np.uint8)
        marks = (codes == NEWLINE) | (codes == delimiter[0])
        separators = np.flatnonzero(marks) if outside is None else places(marks, outside)
        # Record r has the separators from behind breaks[r - 1] to breaks[r].
        breaks = np.flatnonzero(codes[separators] == NEWLINE)
        starts, ends, filled = _filled(codes, separators[breaks])
        last = breaks[filled]
        first = np.concatenate(([0], breaks[:-1] + 1))[filled]
        batch = Batch(data, starts[skipped:], ends[skipped:], offset, line)
        _check_width(batch, (last - first)[skipped:], wanted, uri)
        yield batch, [_column(data, codes, separators, first[skipped:] + at) for at in wanted]
        skipped = 0


def _check_width(batch: Batch, delimiters: Any, wanted: Sequence[int], uri: str) -> None:
    short = delimiters < max(wanted, default=0)
    if short.any():
        msg = f"{uri}: {batch.place(int(short.argmax()))} has not as many columns as the header. Correct it."
        raise SourceError(msg)


def _column(data: bytes, codes: Any, separators: Any, after: Any) -> Any:
    """The raw values before the separators number `after`; those of column 0 begin behind a record's end."""
    import numpy as np

    stops = separators[after]
    begins = np.where(after > 0, separators[after - 1] + 1, 0)
    if RETURN in data:
        stops = stops - ((codes[stops] == NEWLINE) & (stops > begins) & (codes[np.maximum(stops - 1, 0)] == RETURN))
    return slices(data, begins, stops)


def _filled(codes: Any, breaks: Any) -> tuple[Any, Any, Any]:
    """Starts and ends of the records that the line feeds at `breaks` end, without empty lines; and which these are."""
    import numpy as np

    ends = breaks + 1
    starts = np.concatenate(([0], ends[:-1]))
    length = breaks - starts
    filled = (length > 1) | ((length == 1) & (codes[starts] != RETURN))
    return starts[filled], ends[filled], filled


def _whole_records(blocks: Iterable[bytes], uri: str, *, quoted: bool) -> Iterator[tuple[bytes, int, int, Any]]:
    """Whole records, their offset in the source, line ends before them, and what is outside quotes (None: all).

    The last record always ends with a line end.
    """
    import numpy as np

    most = max(BATCH_BYTES, resources().memory_bytes // MEMORY_SHARE)
    rest, offset, line = b"", 0, 0
    for block in gathered(blocks, BATCH_BYTES):
        data = rest + block
        used, outside = _last_end(data, quoted=quoted)
        if used:
            yield data[:used], offset, line, outside
            line += int(np.count_nonzero(np.frombuffer(data, np.uint8, used) == NEWLINE))
        rest, offset = data[used:], offset + used
        if len(rest) > most:
            msg = (
                f"{uri}: the record at byte {offset} (line {line + 1}) is longer than {most >> 20} MiB. "
                "Is a quote never closed? Correct the file, or raise [triptych] engine_memory_mib."
            )
            raise SourceError(msg)
    if rest and quoted and rest.count(b'"') % 2:
        place = f"the record at byte {offset} (line {line + 1})"
        msg = f"{uri}: a quote opened in {place} is never closed. Correct the file."
        raise SourceError(msg)
    if rest:
        yield rest + b"\n", offset, line, _last_end(rest + b"\n", quoted=quoted)[1]


def _last_end(data: bytes, *, quoted: bool) -> tuple[int, Any]:
    """Behind the last whole record; and the bytes outside quotes, as bits, where there are quotes."""
    if not quoted or QUOTE not in data:
        return data.rfind(b"\n") + 1, None
    import numpy as np

    codes = np.frombuffer(data, np.uint8)
    outside = outside_quotes(codes)
    ends = places(codes == NEWLINE, outside)
    return (int(ends[-1]) + 1 if len(ends) else 0), outside


def _csv_values(record: bytes, delimiter: str, uri: str) -> list[str]:
    try:
        return next(csv.reader([record.decode().rstrip("\r\n")], delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        msg = f"{uri}: {record[:60]!r} is no UTF-8: {error.reason}. Convert the file first."
        raise SourceError(msg) from error
