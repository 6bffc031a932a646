"""Parquet by row groups, or by rows inside and across them; each chunk is a Parquet file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from triptych.engines.api import Chunk, Source
from triptych.engines.runtime.resources import need, resources
from triptych.engines.tables.record_ends import Limit
from triptych.errors import SourceError

BATCH_ROWS = 10_000


def parquet_chunks(source: Source, limit: Limit) -> Iterator[Chunk]:
    """A row group each where there is no limit; bytes are turned into rows by the file's average."""
    if not source.size:
        return
    with source.open() as data:
        file = open_parquet(data, source)
        first = 0
        for path, count in _pieces(file, _most_rows(file, source, limit)):
            about = {"source": source.name, "first_row": first, "rows": count}
            name = f"{source.name}_{first:09d}.parquet"
            yield Chunk.of_file(path, name=name, items=count, metadata=about)
            path.unlink()
            first += count


def open_parquet(data: BinaryIO, source: Source) -> Any:
    """A pyarrow.parquet.ParquetFile; SourceError for anything else."""
    try:
        return need("pyarrow.parquet", "tables").ParquetFile(data)
    except need("pyarrow", "tables").ArrowException as error:
        msg = f"{source.uri}: cannot be read as Parquet: {error}."
        raise SourceError(msg) from error


def _most_rows(file: Any, source: Source, limit: Limit) -> int | None:
    rows = [limit.records] if limit.records else []
    if limit.max_bytes and file.metadata.num_rows:
        rows.append(max(1, limit.max_bytes * file.metadata.num_rows // source.size))
    return min(rows) if rows else None


def _pieces(file: Any, most: int | None) -> Iterator[tuple[Path, int]]:
    folder = resources().new_folder()
    if most is None:
        for group in range(file.num_row_groups):
            batches = file.iter_batches(BATCH_ROWS, row_groups=[group])
            yield from _cut(batches, file.schema_arrow, folder, None)
        return
    yield from _cut(file.iter_batches(min(most, BATCH_ROWS)), file.schema_arrow, folder, most)


def _cut(batches: Iterator[Any], schema: Any, folder: Path, most: int | None) -> Iterator[tuple[Path, int]]:
    """Files of `most` rows each, or one of all."""
    pq = need("pyarrow.parquet", "tables")
    path, count = folder / "piece.parquet", 0
    writer: Any = None
    for batch in batches:
        at = 0
        while at < batch.num_rows:
            writer = writer or pq.ParquetWriter(path, schema)
            taken = batch.slice(at, None if most is None else most - count)
            writer.write_batch(taken)
            at, count = at + taken.num_rows, count + taken.num_rows
            if count == most:
                writer.close()
                yield path, count
                writer, count = None, 0
    if writer:
        writer.close()
        yield path, count
