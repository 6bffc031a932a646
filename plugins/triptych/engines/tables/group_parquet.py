"""Rows of Parquet gathered by label: sorted by the label's number, outside of memory, and cut where it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from triptych.engines.api import Chunk, Input
from triptych.engines.arrays.aliases import Codes
from triptych.engines.arrays.runs import run_lengths, run_starts
from triptych.engines.arrays.text_columns import TextColumn
from triptych.engines.dialects.opening import Opened
from triptych.engines.runtime.resources import resources
from triptych.engines.sorting.external_merge import merged
from triptych.engines.sorting.order import Order
from triptych.engines.tables.group_labels import Labels
from triptych.engines.tables.group_names import LabelMetadata, named_labels
from triptych.engines.tables.parquet import BATCH_ROWS, open_parquet
from triptych.errors import TriptychError

LABEL = "triptych_label"
"""The first column while rows are sorted: the label's number."""

BY_LABEL = Order(["ascending"])


class ParquetGroups:
    """Takes all sources, then gives a Parquet file per label."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._labelled = resources().new_folder() / "labelled.parquet"
        self._writer: pq.ParquetWriter | None = None
        self._schema = pa.schema([])
        self._rows = 0

    def add(self, table: Opened, columns: Sequence[str]) -> None:
        """Raises SourceError where a column is missing or the schema is not that of the sources before."""
        before, source = self._rows, table.item

        def error(row: int, text: str) -> TriptychError:
            return source.error(f"row {self._rows - before + row}: {text}")

        with source.open() as data:
            rows = open_parquet(data, source)
            writer = self._writer_of(source, rows.schema, columns)
            for batch in rows.batches():
                values = [_comparable(batch.column(column)) for column in columns]
                numbers = self._labels.number(values, _python_texts, error)
                writer.write_batch(self._labelled_rows(batch, numbers))

    def chunks(self, metadata: LabelMetadata) -> Iterator[Chunk]:
        """In order of number; a chunk's file is removed when the next one is asked for."""
        if self._writer is None:
            return
        self._writer.close()
        named = list(named_labels(self._labels, "parquet", metadata))
        for number, path, count in self._pieces(merged([self._labelled_batches], BY_LABEL, in_order=False)):
            name, own_metadata = named[number]
            yield Chunk.of_file(path, name=name, items=count, metadata=own_metadata)
            path.unlink()

    def _labelled_batches(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self._labelled) as file:
            for group in range(file.num_row_groups):  # Each is a batch as it was read.
                yield from file.iter_batches(BATCH_ROWS, row_groups=[group])

    def _writer_of(self, source: Input, schema: pa.Schema, columns: Sequence[str]) -> pq.ParquetWriter:
        """One for all sources, which have one schema."""
        missing = [column for column in columns if column not in schema.names]
        if missing:
            text = f"there is no column {missing[0]!r}; it has {', '.join(schema.names)}."
            raise source.error(text)
        if self._writer is None:
            self._schema = schema.remove_metadata()
            labelled = pa.schema([pa.field(LABEL, pa.int64()), *self._schema])
            self._writer = pq.ParquetWriter(self._labelled, labelled)
        elif not self._schema.equals(schema.remove_metadata()):
            text = "its columns are not those of the sources before. Launch a job for each schema."
            raise source.error(text)
        return self._writer

    def _labelled_rows(self, batch: pa.RecordBatch, numbers: Codes) -> pa.RecordBatch:
        """With the label's number in front, without those of label -1."""
        self._rows += batch.num_rows
        arrays = [pa.array(numbers), *batch.columns]
        names = [LABEL, *batch.schema.names]
        return pa.RecordBatch.from_arrays(arrays, names=names).filter(pa.array(numbers >= 0))

    def _pieces(self, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Path, int]]:
        """(label's number, Parquet file, rows) of each label."""
        path = self._labelled.with_name("piece.parquet")
        writer: pq.ParquetWriter | None = None
        current, count = -1, 0
        for number, rows in self._runs(batches):
            if writer is None or number != current:
                if writer:
                    writer.close()
                    yield current, path, count
                writer, current, count = pq.ParquetWriter(path, self._schema), number, 0
            writer.write_table(rows)
            count += rows.num_rows
        if writer:
            writer.close()
            yield current, path, count

    def _runs(self, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
        """The label's number, and consecutive rows that have it, as the sources had them."""
        for batch in batches:
            numbers = batch.column(LABEL).to_numpy()
            rows = batch.select(self._schema.names)
            starts = run_starts(numbers)
            lengths = run_lengths(starts, batch.num_rows)
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
                # What Parquet does not keep, such as a name that a list's items have, is as it was.
                yield int(numbers[start]), pa.Table.from_batches([rows.slice(start, length)]).cast(self._schema)


def _comparable(values: pa.Array) -> pa.Array:
    """A column whose equal values can be found: not in a dictionary, nested ones as text."""
    if pa.types.is_dictionary(values.type):
        return values.cast(values.type.value_type)
    return _python_texts(values) if pa.types.is_nested(values.type) else values


def _python_texts(values: pa.Array) -> TextColumn:
    """Values of any type as Python writes them; null is null."""
    return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.large_string())
