"""Records of tables gathered by a label that is computed from some of their columns.

Text stays as it is, byte for byte, each chunk with the header. What does not fit into memory lies in one scratch file
per label, of which one is open at a time.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from triptych.engines.api import Chunk, Source
from triptych.engines.formats import DELIMITERS, table_format
from triptych.engines.json_records import pick
from triptych.engines.parquet_rows import open_parquet
from triptych.engines.records import split_fields, split_records
from triptych.engines.resources import need, resources
from triptych.errors import SourceError

Label: TypeAlias = Callable[[Sequence[str]], "str | None"]
"""What the values of the columns, as text, are put under; None drops the record."""

FILES_PER_FOLDER = 1000
RECORD_OVERHEAD_BYTES = 60
"""What a record takes in memory beside its bytes."""
MOST_LABELS_KEPT = 1_000_000
"""Remembered values; a column of times has as many as records."""


def grouped(
    sources: Sequence[Source],
    form: str,
    columns: Sequence[str],
    label: Label,
    about: Callable[[str], Mapping[str, Any]],
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
    groups = _Parquet() if found == "parquet" else _Text()
    remembered = _Remembered(label)
    for source in filled:
        try:
            groups.add(source, found, columns, remembered)
        except SourceError as error:
            raise error if source.uri in str(error) else SourceError(f"{source.uri}: {error}") from error
    yield from groups.chunks(found, about, remembered.dropped)


class _Remembered(dict[Any, Any]):
    """Labels by the raw values that they were computed from."""

    def __init__(self, label: Label) -> None:
        super().__init__()
        self._label = label
        self.dropped = 0

    def of(self, raw: Any, values: Callable[[Any], Sequence[str]]) -> str | None:
        """The label of a raw value; `values` is asked only the first time."""
        if raw not in self:
            if len(self) >= MOST_LABELS_KEPT:
                self.clear()
            self[raw] = self._label(values(raw))
        return self[raw]  # type: ignore[no-any-return]  # Label says what it is.


class _Text:
    """Text records by label: in memory up to a quarter of what engines have, then in files."""

    def __init__(self) -> None:
        self._folder = resources().new_folder()
        self._room = self._most = resources().memory_bytes // 4
        self._buffers: dict[str, list[bytes]] = {}
        self._counts: dict[str, int] = {}
        self._header = b""

    def add(self, source: Source, form: str, columns: Sequence[str], labels: _Remembered) -> None:
        batches = _csv_batches if form in DELIMITERS else _json_batches
        for header, records, raws, values in batches(source, form, columns):
            self._take_header(header, source, form)
            for record, raw in zip(records, raws, strict=True):
                label = labels[raw] if raw in labels else labels.of(raw, values)
                if label is None:
                    labels.dropped += 1
                    continue
                if label in self._buffers:
                    self._buffers[label].append(record)
                else:
                    self._buffers[label] = [record]
                self._room -= len(record) + RECORD_OVERHEAD_BYTES
            if self._room < 0:
                self._flush()

    def chunks(self, form: str, about: Callable[[str], Mapping[str, Any]], dropped: int) -> Iterator[Chunk]:
        self._flush()
        for at, (label, count) in enumerate(self._counts.items()):
            last = at == len(self._counts) - 1
            extra = {"dropped": dropped} if dropped and last else {}
            path = self._path(at)
            yield Chunk.of_file(path, name=_file_name(label, form), items=count, metadata={**about(label), **extra})
            path.unlink()

    def _take_header(self, header: bytes, source: Source, form: str) -> None:
        if not self._header:
            self._header = header if header.endswith(b"\n") or not header else header + b"\n"
        elif header.rstrip(b"\r\n") != self._header.rstrip(b"\r\n") and form in DELIMITERS:
            msg = (
                f"{source.uri}: its header {header[:200]!r} is not that of the sources before, {self._header[:200]!r}."
            )
            raise SourceError(msg)

    def _flush(self) -> None:
        places = {label: at for at, label in enumerate(self._counts)}
        for label, records in self._buffers.items():
            new = label not in places
            at = places.setdefault(label, len(places))
            path = self._path(at)
            path.parent.mkdir(exist_ok=True)
            with path.open("ab") as out:
                out.write(self._header * new)
                out.write(b"".join(record if record.endswith(b"\n") else record + b"\n" for record in records))
            self._counts[label] = self._counts.get(label, 0) + len(records)
        self._buffers.clear()
        self._room = self._most

    def _path(self, at: int) -> Path:
        return self._folder / str(at // FILES_PER_FOLDER) / str(at)


Batch: TypeAlias = tuple[bytes, Sequence[bytes], Sequence[Any], Callable[[Any], Sequence[str]]]
"""The header, records, of each the raw value of its columns, and what reads a raw value."""


def _csv_batches(source: Source, form: str, columns: Sequence[str]) -> Iterator[Batch]:
    delimiter = DELIMITERS[form]
    header = next(split_records(source.stream(), source.uri, quoted=True))
    names = _csv_values(header.removeprefix(b"\xef\xbb\xbf"), delimiter)
    missing = [column for column in columns if column not in names]
    if missing:
        msg = f"{source.uri}: there is no column {missing[0]!r}; the header has {', '.join(names)}."
        raise SourceError(msg)
    wanted = [names.index(column) for column in columns]

    def values(raw: Any) -> list[str]:
        parts = (raw,) if isinstance(raw, bytes) else raw
        return [_csv_values(part, delimiter)[0] if part else "" for part in parts]

    first = True
    for records, fields in split_fields(source.stream(), source.uri, delimiter.encode(), wanted):
        raws: Sequence[Any] = fields[0] if len(fields) == 1 else list(zip(*fields, strict=True))
        yield header, records[first:], raws[first:], values
        first = False


def _csv_values(record: bytes, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([record.decode().rstrip("\r\n")], delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        msg = f"{record[:60]!r} is no UTF-8: {error.reason}. Convert the file first."
        raise SourceError(msg) from error


def _json_batches(source: Source, form: str, columns: Sequence[str]) -> Iterator[Batch]:
    loads = need("orjson", "tables").loads
    number, records, raws = 0, [], []
    for number, record in enumerate(split_records(source.stream(), source.uri, quoted=False), 1):
        if not record.strip():
            continue
        try:
            document = loads(record)
            raws.append(tuple(_as_text(pick(document, column)) for column in columns))
        except (ValueError, KeyError) as error:
            msg = f"{source.uri}: line {number} has no value {error}, or is no JSON."
            raise SourceError(msg) from error
        records.append(record)
        if len(records) == 10_000:
            yield b"", records, raws, lambda raw: list(raw)
            records, raws = [], []
    yield b"", records, raws, lambda raw: list(raw)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _file_name(label: str, form: str) -> str:
    """The label with what a file's name cannot hold in percent signs, and the format's extension."""
    return re.sub(r"[/\x00-\x1f%]", lambda found: f"%{ord(found[0]):02X}", label) + f".{form}"


class _Parquet:
    """Rows get their label's number, are sorted by it with DuckDB, which spills, and cut where it changes."""

    def __init__(self) -> None:
        self._labelled = resources().new_folder() / "labelled.parquet"
        self._numbers: dict[str, int] = {}
        self._writer: Any = None
        self._schema: Any = None
        self._rows = 0

    def add(self, source: Source, form: str, columns: Sequence[str], labels: _Remembered) -> None:
        with source.open() as data:
            file = open_parquet(data, source)
            self._take_schema(source, file.schema_arrow, columns)
            for batch in file.iter_batches(batch_size=10_000):
                self._writer.write_batch(self._with_numbers(batch, columns, labels))

    def chunks(self, form: str, about: Callable[[str], Mapping[str, Any]], dropped: int) -> Iterator[Chunk]:
        from triptych.engines.duck import database, literal

        pq = need("pyarrow.parquet", "tables")
        self._writer.close()
        ordered = self._labelled.with_name("ordered.parquet")
        with database() as connection:
            rows = f"SELECT * FROM read_parquet({literal(str(self._labelled))}) ORDER BY triptych_label, triptych_row"
            connection.execute(f"COPY ({rows}) TO {literal(str(ordered))} (FORMAT parquet, ROW_GROUP_SIZE 20480)")
        labels = list(self._numbers)
        with pq.ParquetFile(ordered) as file:
            for number, path, count in self._pieces(file.iter_batches(batch_size=10_000)):
                label = labels[number]
                extra = {"dropped": dropped} if dropped and number == len(labels) - 1 else {}
                metadata = {**about(label), **extra}
                yield Chunk.of_file(path, name=_file_name(label, form), items=count, metadata=metadata)
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

    def _with_numbers(self, batch: Any, columns: Sequence[str], labels: _Remembered) -> Any:
        pa = need("pyarrow", "tables")
        raws = zip(*(map(str, batch.column(column).to_pylist()) for column in columns), strict=True)
        found = [labels.of(raw, list) for raw in raws]
        numbers = [None if label is None else self._numbers.setdefault(label, len(self._numbers)) for label in found]
        labels.dropped += numbers.count(None)
        rows = range(self._rows, self._rows + len(found))
        self._rows += len(found)
        arrays = [*batch.columns, pa.array(numbers, pa.int64()), pa.array(rows, pa.int64())]
        names = [*batch.schema.names, "triptych_label", "triptych_row"]
        kept = pa.RecordBatch.from_arrays(arrays, names=names)
        return kept.filter(kept.column("triptych_label").is_valid())

    def _pieces(self, batches: Iterable[Any]) -> Iterator[tuple[int, Path, int]]:
        """(label's number, Parquet file, rows) of each label."""
        pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
        pq = need("pyarrow.parquet", "tables")
        path = self._labelled.with_name("piece.parquet")
        writer: Any = None
        current, count = -1, 0
        for batch in batches:
            numbers = batch.column("triptych_label")
            rows = batch.select(self._schema.names)
            for number in pc.unique(numbers).to_pylist():
                if number != current:
                    if writer:
                        writer.close()
                        yield current, path, count
                    writer, current, count = pq.ParquetWriter(path, self._schema), number, 0
                # DuckDB tells text of one kind only.
                part = pa.Table.from_batches([rows.filter(pc.equal(numbers, number))]).cast(self._schema)
                writer.write_table(part)
                count += part.num_rows
        if writer:
            writer.close()
            yield current, path, count
