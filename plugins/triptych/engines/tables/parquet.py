"""Parquet by row groups, or by rows inside and across them; each chunk is a Parquet file of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from triptych.engines.api import Chunk, Input, Source
from triptych.engines.arrays.aliases import Offsets
from triptych.engines.dialects.record_ends import Limit
from triptych.engines.runtime.resources import MIB, resources
from triptych.engines.streams.unpacking import DENSE_TIMES, Expansion
from triptych.engines.tables.places import RowPlace
from triptych.errors import StorageError

BATCH_ROWS = 10_000
BATCH_SHARE = 1 / 16
"""Of the memory, for a batch: it is there as read, as values, and as it is written."""
READ_SHARE = 1 / 8
"""Of the memory, for bytes read before they are asked for: a whole row group where it takes no more, which asks a store
least often; else so much of each column as is its part, no more than MOST_READ."""
MOST_READ = 8 * MIB
LEAST_READ = 64 * 1024
MOST_VALUES_OF_A_PAGE = 2**31 - 1
LEAST_BYTES_OF_A_PAGE = 16
"""Its header alone; `num_values` in it is an i32 (parquet.thrift)."""


def parquet_chunks(source: Source, item: Input, limit: Limit) -> Iterator[Chunk]:
    """A row group each where there is no limit; bytes are turned into rows by the file's average.

    `item` is the source, or what it was packed from. A file without rows is one chunk, with its schema.
    """
    with item.open() as data:
        table = open_parquet(data, item)
        first_row = 0
        for path, rows in _pieces(table, _most_rows(table.about, item, limit)):
            place = RowPlace(source_index=source.index, source=source.path, first_row=first_row, rows=rows)
            name = f"{source.name}_{first_row:09d}.parquet"
            yield Chunk.of_file(path, name=name, items=rows, metadata=place.to_metadata())
            path.unlink()
            first_row += rows


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file that is read in batches whose values fit into the memory; `about` is its footer."""

    item: Input
    schema: pa.Schema
    about: pq.FileMetaData
    _file: pq.ParquetFile

    def batches(self, most_rows: int = BATCH_ROWS, groups: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows in order, or those of some row groups.

        Raises the item's error for a row beyond `longest_line`, and for more than an `Expansion` allows.
        """
        expansion, first_row = Expansion(self.item, DENSE_TIMES), 0
        for number in range(self.about.num_row_groups) if groups is None else groups:
            rows = min(most_rows, _rows_at_once(self.about.row_group(number)))
            read = self._file.iter_batches(rows, row_groups=[number])
            while (batch := self._next(read)) is not None:
                for piece in self._pieces(batch, first_row):
                    unpacked = piece.cast(self.schema)
                    expansion.add(unpacked.nbytes)
                    yield unpacked
                first_row += batch.num_rows

    def _next(self, read: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        with _parquet_errors(self.item):
            return next(read, None)

    def _pieces(self, batch: pa.RecordBatch, first_row: int) -> Iterator[pa.RecordBatch]:
        """Slices of the batch whose values, each written out, take BATCH_SHARE of the memory, or have one row."""
        sizes = np.sum([_value_bytes(column) for column in batch.columns], axis=0, dtype=np.int64)
        share, ends, start = resources().share(BATCH_SHARE).bytes, np.cumsum(sizes), 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            end = max(start + 1, int(np.searchsorted(ends, before + share, "right")))
            line = resources().longest_line(f"row {first_row + start}")
            line.check(int(ends[end - 1]) - before if end == start + 1 else 0, self.item)
            yield batch.slice(start, end - start)
            start = end


def open_parquet(data: BinaryIO, item: Input) -> ParquetTable:
    """`data` is the item, opened; raises the item's error for anything but Parquet that fits into the memory."""
    with _parquet_errors(item):
        file = pq.ParquetFile(data)
        about, schema = file.metadata, file.schema_arrow
        _check_rows(about, item)
        _check_columns(about, item)
        return ParquetTable(item, schema, about, _reader(data, about, _small_columns(about, schema)))


def _reader(data: BinaryIO, about: pq.FileMetaData, dictionaries: Sequence[str]) -> pq.ParquetFile:
    share = resources().share(READ_SHARE).bytes
    groups = (about.row_group(number) for number in range(about.num_row_groups))
    largest = max(map(_packed_bytes, groups), default=0)
    part = min(MOST_READ, max(LEAST_READ, share // max(1, about.num_columns)))
    return pq.ParquetFile(
        data, metadata=about, read_dictionary=dictionaries, buffer_size=part, pre_buffer=largest <= share
    )


def _packed_bytes(group: pq.RowGroupMetaData) -> int:
    return sum(int(group.column(number).total_compressed_size) for number in range(group.num_columns))


@contextmanager
def _parquet_errors(item: Input) -> Iterator[None]:
    """What pyarrow raises for a damaged file becomes the item's error."""
    try:
        yield
    except StorageError:  # An OSError, and no fault of the file.
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        text = "cannot be read as Parquet: it is none, is damaged, or is not all there. Write it anew."
        raise item.error(text) from error


def _check_columns(about: pq.FileMetaData, item: Input) -> None:
    """Raises the item's error for a column that states values, or bytes, beyond what engines take or unpack."""
    for group in range(about.num_row_groups):
        for number in range(about.num_columns):
            column = about.row_group(group).column(number)
            what = f"column {column.path_in_schema} of row group {group}"
            size = column.total_uncompressed_size
            mean = size // max(1, column.num_values)
            resources().longest_line(f"a value in {what}").check(mean, item)
            Expansion(item, DENSE_TIMES, column.total_compressed_size).add(size, what)


def _small_columns(about: pq.FileMetaData, schema: pa.Schema) -> list[str]:
    """Columns of text or bytes, in none that is nested, that take no more than a batch may in any row group.

    Read as indices they stay so small, and tell what they come to: a million values may be one, which is there once.
    """
    share = resources().share(BATCH_SHARE).bytes
    small = []
    for number in range(about.num_columns):
        name = about.schema.column(number).path
        is_text = schema.get_field_index(name) >= 0 and _is_text(schema.field(name).type)
        groups = (about.row_group(group).column(number) for group in range(about.num_row_groups))
        if is_text and all(column.total_uncompressed_size <= share for column in groups):
            small.append(name)
    return small


def _is_text(kind: pa.DataType) -> bool:
    return any(
        found(kind)
        for found in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def _rows_at_once(group: pq.RowGroupMetaData) -> int:
    """By the row group's bytes before they were packed, which it states."""
    stated = sum(int(group.column(number).total_uncompressed_size) for number in range(group.num_columns))
    return max(1, min(BATCH_ROWS, resources().share(BATCH_SHARE).bytes * int(group.num_rows) // max(1, stated)))


def _value_bytes(column: pa.Array) -> Offsets:
    """Of each value, written out; of those that cannot be told apart, the mean."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return np.full(len(column), column.nbytes // max(1, len(column)), np.int64)
    lengths = np.append(pc.binary_length(column.dictionary).to_numpy(zero_copy_only=False), 0)
    sizes: Offsets = lengths.astype(np.int64)[column.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return sizes


def _check_rows(about: pq.FileMetaData, item: Input) -> None:
    """Raises the item's error where a row group states more rows than its bytes can hold: pyarrow looks for them."""
    for number in range(about.num_row_groups if about.num_columns else 0):
        group = about.row_group(number)
        size = group.column(0).total_compressed_size
        if group.num_rows > (size // LEAST_BYTES_OF_A_PAGE + 1) * MOST_VALUES_OF_A_PAGE:
            msg = (
                f"cannot be read as Parquet: row group {number} states {group.num_rows:,} rows, and its first column "
                f"has {size:,} bytes. Write the file anew."
            )
            raise item.error(msg)


def _most_rows(about: pq.FileMetaData, item: Input, limit: Limit) -> int | None:
    rows = [limit.records] if limit.records else []
    if limit.max_bytes and about.num_rows:
        rows.append(max(1, limit.max_bytes * about.num_rows // item.size))
    return min(rows) if rows else None


def _pieces(table: ParquetTable, most: int | None) -> Iterator[tuple[Path, int]]:
    folder = resources().new_folder()
    if not table.about.num_rows:
        empty = _NewFile(folder, table.schema)
        empty.open().close()
        yield empty.path, 0
        return
    if most is None:
        for group in range(table.about.num_row_groups):
            yield from _cut(table.batches(groups=[group]), _NewFile(folder, table.schema), None)
        return
    yield from _cut(table.batches(min(most, BATCH_ROWS)), _NewFile(folder, table.schema), most)


@dataclass(frozen=True)
class _NewFile:
    folder: Path
    schema: pa.Schema

    @property
    def path(self) -> Path:
        return self.folder / "piece.parquet"

    def open(self) -> pq.ParquetWriter:
        """Writes over the piece before, which has been handed on."""
        return pq.ParquetWriter(self.path, self.schema)


def _cut(batches: Iterator[pa.RecordBatch], file: _NewFile, most: int | None) -> Iterator[tuple[Path, int]]:
    """Files of `most` rows each, or one of all."""
    writer: pq.ParquetWriter | None = None
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            writer = writer or file.open()
            taken = batch.slice(start, None if most is None else most - count)
            writer.write_batch(taken)
            start, count = start + taken.num_rows, count + taken.num_rows
            if count == most:
                writer.close()
                yield file.path, count
                writer, count = None, 0
    if writer:
        writer.close()
        yield file.path, count
