"""Records of tables gathered by a label that is computed from some of their columns.

Text stays as it is, byte for byte, each chunk with the header.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from triptych.engines.api import Chunk, Source
from triptych.engines.runtime.resources import need, resources
from triptych.engines.tables.csv_batches import Batch, csv_table
from triptych.engines.tables.formats import DELIMITERS, table_format
from triptych.engines.tables.group_labels import Label, Labels, csv_texts, json_texts
from triptych.engines.tables.group_spill import Group, Groups
from triptych.engines.tables.json_lines import json_batches, json_columns
from triptych.engines.tables.parquet import open_parquet
from triptych.errors import SourceError

KEPT_BYTES = 1024 * 1024
"""A chunk up to this size is handed on in memory, without a file."""

About = Callable[[str], Mapping[str, Any]]
"""The metadata of a label."""


def grouped(
    sources: Sequence[Source], form: str, columns: Sequence[str], label: Label, about: About
) -> Iterator[Chunk]:
    """A chunk per label in order of its first record; the last one's metadata counts dropped records, if any."""
    filled = [source for source in sources if source.size]
    if not filled:
        return
    forms = {table_format(source, form) for source in filled}
    if len(forms) > 1:
        msg = f"The sources are of several formats: {', '.join(sorted(forms))}. Launch a job for each."
        raise SourceError(msg)
    (found,) = forms
    labels = Labels(label)
    groups = _Parquet(labels) if found == "parquet" else _Text(labels, found)
    for source in filled:
        groups.add(source, columns)
    yield from groups.chunks(about)


def _chunk(group: Group, path: Path, header: bytes, name: str, metadata: Mapping[str, Any]) -> Chunk:
    """In memory while it is small."""
    if group.size <= KEPT_BYTES:
        data = b"".join([header, *group.blocks])
        return Chunk.of_bytes(data, name=name, items=group.count, metadata=metadata)
    with path.open("wb") as out:
        out.write(header)
        out.writelines(group.blocks)
    return Chunk.of_file(path, name=name, items=group.count, metadata=metadata)


def _described(labels: Labels, form: str, about: About) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and metadata of each label's chunk."""
    names = labels.names
    for at, label in enumerate(names):
        extra = {"dropped": labels.dropped} if labels.dropped and at == len(names) - 1 else {}
        yield _file_name(label, form), {**about(label), **extra}


class _Text:
    """CSV, TSV or JSON Lines."""

    def __init__(self, labels: Labels, form: str) -> None:
        self._labels = labels
        self._form = form
        self._groups = Groups()
        self._header = b""

    def add(self, source: Source, columns: Sequence[str]) -> None:
        texts = json_texts if self._form == "jsonl" else csv_texts(DELIMITERS[self._form])
        for batch, raws in self._batches(source, columns):

            def place(number: int, batch: Batch = batch) -> str:
                return f"{source.uri}: {batch.place(number)}"

            self._groups.add(batch, self._labels.number(raws, texts, place))

    def chunks(self, about: About) -> Iterator[Chunk]:
        described = list(_described(self._labels, self._form, about))
        path = resources().new_folder() / "group"
        for group, (name, metadata) in zip(self._groups.read(len(described)), described, strict=True):
            yield _chunk(group, path, self._header, name, metadata)
            path.unlink(missing_ok=True)

    def _batches(self, source: Source, columns: Sequence[str]) -> Iterator[tuple[Batch, Sequence[Any]]]:
        if self._form == "jsonl":
            for batch in json_batches(source.stream(), source.uri):
                yield batch, _all_there(json_columns(batch, columns, source.uri), columns, batch, source.uri)
            return
        table = csv_table(source.stream, source.uri, DELIMITERS[self._form])
        self._take_header(table.header, source.uri)
        yield from table.batches(columns)

    def _take_header(self, header: bytes, uri: str) -> None:
        if not self._header:
            self._header = header if header.endswith(b"\n") else header + b"\n"
        elif header.rstrip(b"\r\n") != self._header.rstrip(b"\r\n"):
            msg = f"{uri}: its header {header[:200]!r} is not that of the sources before, {self._header[:200]!r}."
            raise SourceError(msg)


def _all_there(values: Sequence[Any], columns: Sequence[str], batch: Batch, uri: str) -> Sequence[Any]:
    for name, column in zip(columns, values, strict=True):
        if column.null_count:
            msg = f"{uri}: {batch.place(column.is_null().index(True).as_py())} has no value {name!r}. Correct it."
            raise SourceError(msg)
    return values


def _file_name(label: str, form: str) -> str:
    """The label with what a file's name cannot hold in percent signs, and the format's extension."""
    return re.sub(r"[/\x00-\x1f%]", lambda found: f"%{ord(found[0]):02X}", label) + f".{form}"


class _Parquet:
    """Rows get their label's number, are sorted by it with DuckDB, which spills, and cut where it changes."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._labelled = resources().new_folder() / "labelled.parquet"
        self._writer: Any = None
        self._schema: Any = None
        self._rows = 0

    def add(self, source: Source, columns: Sequence[str]) -> None:
        before = self._rows

        def place(row: int) -> str:
            return f"{source.uri}: row {self._rows - before + row}"

        with source.open() as data:
            file = open_parquet(data, source)
            self._take_schema(source, file.schema_arrow, columns)
            for batch in file.iter_batches(batch_size=10_000):
                values = [_flat(batch.column(column)) for column in columns]
                self._write(batch, self._labels.number(values, _python_texts, place))

    def chunks(self, about: About) -> Iterator[Chunk]:
        from triptych.engines.tables.duckdb_tables import database, literal

        pq = need("pyarrow.parquet", "tables")
        self._writer.close()
        ordered = self._labelled.with_name("ordered.parquet")
        with database() as connection:
            rows = f"SELECT * FROM read_parquet({literal(str(self._labelled))}) ORDER BY triptych_label, triptych_row"
            connection.execute(f"COPY ({rows}) TO {literal(str(ordered))} (FORMAT parquet, ROW_GROUP_SIZE 20480)")
        described = list(_described(self._labels, "parquet", about))
        with pq.ParquetFile(ordered) as file:
            for number, path, count in self._pieces(file.iter_batches(batch_size=10_000)):
                name, metadata = described[number]
                yield Chunk.of_file(path, name=name, items=count, metadata=metadata)
                path.unlink()

    def _take_schema(self, source: Source, schema: Any, columns: Sequence[str]) -> None:
        pa, pq = need("pyarrow", "tables"), need("pyarrow.parquet", "tables")
        missing = [column for column in columns if column not in schema.names]
        if missing:
            msg = f"{source.uri}: there is no column {missing[0]!r}; it has {', '.join(schema.names)}."
            raise SourceError(msg)
        if self._schema is None:
            self._schema = schema.remove_metadata()
            places = [pa.field("triptych_label", pa.int64()), pa.field("triptych_row", pa.int64())]
            self._writer = pq.ParquetWriter(self._labelled, pa.schema([*self._schema, *places]))
        elif not self._schema.equals(schema.remove_metadata()):
            msg = f"{source.uri}: its columns are not those of the sources before. Launch a job for each kind."
            raise SourceError(msg)

    def _write(self, batch: Any, numbers: Any) -> None:
        pa = need("pyarrow", "tables")
        rows = range(self._rows, self._rows + batch.num_rows)
        self._rows += batch.num_rows
        arrays = [*batch.columns, pa.array(numbers), pa.array(rows, pa.int64())]
        names = [*batch.schema.names, "triptych_label", "triptych_row"]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, names=names).filter(pa.array(numbers >= 0)))

    def _pieces(self, batches: Iterable[Any]) -> Iterator[tuple[int, Path, int]]:
        """(label's number, Parquet file, rows) of each label."""
        import numpy as np

        pa, pq = need("pyarrow", "tables"), need("pyarrow.parquet", "tables")
        path = self._labelled.with_name("piece.parquet")
        writer: Any = None
        current, count = -1, 0
        for batch in batches:
            numbers, first = np.unique(batch.column("triptych_label").to_numpy(), return_index=True)
            rows = batch.select(self._schema.names)
            for number, start, end in zip(numbers.tolist(), first, [*first[1:], batch.num_rows], strict=True):
                if number != current:
                    if writer:
                        writer.close()
                        yield current, path, count
                    writer, current, count = pq.ParquetWriter(path, self._schema), number, 0
                # DuckDB tells text of one kind only.
                part = pa.Table.from_batches([rows.slice(start, end - start)]).cast(self._schema)
                writer.write_table(part)
                count += part.num_rows
        if writer:
            writer.close()
            yield current, path, count


def _flat(values: Any) -> Any:
    """A column whose equal values can be found: not in a dictionary, nested ones as text."""
    pa = need("pyarrow", "tables")
    if pa.types.is_dictionary(values.type):
        return values.cast(values.type.value_type)
    return _python_texts(values) if pa.types.is_nested(values.type) else values


def _python_texts(values: Any) -> Any:
    """Values of any type as Python writes them."""
    pa = need("pyarrow", "tables")
    return pa.array(map(str, values.to_pylist()), pa.large_string())
