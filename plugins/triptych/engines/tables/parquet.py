"""Parquet by row groups, or by rows inside and across them; each chunk is a Parquet file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from triptych.engines.api import Chunk, Input, Source
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.places import RowPlace
from triptych.engines.tables.record_ends import Limit

BATCH_ROWS = 10_000
MOST_VALUES_OF_A_PAGE = 2**31 - 1
LEAST_BYTES_OF_A_PAGE = 16
"""Its header alone; `num_values` in it is an i32 (parquet.thrift)."""


def parquet_chunks(source: Source, limit: Limit) -> Iterator[Chunk]:
    """A row group each where there is no limit; bytes are turned into rows by the file's average."""
    if not source.size:
        return
    with source.open() as data:
        file = open_parquet(data, source)
        first_row = 0
        for path, rows in _pieces(file, _most_rows(file, source, limit)):
            place = RowPlace(source_index=source.index, source=source.path, first_row=first_row, rows=rows)
            name = f"{source.name}_{first_row:09d}.parquet"
            yield Chunk.of_file(path, name=name, items=rows, metadata=place.to_metadata())
            path.unlink()
            first_row += rows


def open_parquet(data: BinaryIO, item: Input) -> pq.ParquetFile:
    """`data` is the item, opened; raises the item's error for anything but Parquet."""
    try:
        file = pq.ParquetFile(data)
    except pa.ArrowException as error:
        msg = f"cannot be read as Parquet: {error}."
        raise item.error(msg) from error
    _check_rows(file.metadata, item)
    return file


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


def _most_rows(file: pq.ParquetFile, source: Source, limit: Limit) -> int | None:
    rows = [limit.records] if limit.records else []
    if limit.max_bytes and file.metadata.num_rows:
        rows.append(max(1, limit.max_bytes * file.metadata.num_rows // source.size))
    return min(rows) if rows else None


def _pieces(file: pq.ParquetFile, most: int | None) -> Iterator[tuple[Path, int]]:
    folder = resources().new_folder()
    if most is None:
        for group in range(file.num_row_groups):
            batches = file.iter_batches(BATCH_ROWS, row_groups=[group])
            yield from _cut(batches, _NewFile(folder, file.schema_arrow), None)
        return
    yield from _cut(file.iter_batches(min(most, BATCH_ROWS)), _NewFile(folder, file.schema_arrow), most)


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
