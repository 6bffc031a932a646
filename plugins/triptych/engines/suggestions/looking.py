"""What a file is, by its beginning: the same check of first bytes, and the same dialects, that engines read it with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from triptych.engines.api import Input, Source
from triptych.engines.archives.members import read_tar
from triptych.engines.archives.zips import open_zip
from triptych.engines.dialects.dialect import FORMATS
from triptych.engines.dialects.finding import LOOKED_AT_BYTES, LOOKED_AT_RECORDS
from triptych.engines.dialects.formats import DELIMITERS, EXTENSIONS
from triptych.engines.dialects.opening import Opened, opened
from triptych.engines.documents.contained import WORKBOOK, tables_in
from triptych.engines.documents.formats import HEADINGS, format_by_extension
from triptych.engines.logs.timestamps import KNOWN
from triptych.engines.runtime.resources import MIB, resources
from triptych.engines.streams.contents import Unpacked, binary_of, first_bytes, marked_encoding, unpacked_suffix
from triptych.engines.streams.file_objects import BlockReader
from triptych.engines.streams.unpacking import packing_of, unpack_into, unpacked
from triptych.engines.suggestions.columns import Columns, are_urls, columns_of
from triptych.engines.suggestions.content import Content, media_of
from triptych.engines.suggestions.json_arrays import largest_array
from triptych.engines.tables.parquet import open_parquet

LOOKED_AT_MEMBERS = 200
STAMPED_SHARE = 0.3
"""Of a log's lines: those of traces have no timestamp."""
LONGEST_LISTED = 8
"""So many columns are named."""


@dataclass(frozen=True)
class Look:
    """One file: what it holds, in a sentence, and what parameters may be made of.

    `columns` are the values of a table's first records, `path` that of the array in a JSON document, `members` the
    first names in an archive, `form` the format of a table or document.
    """

    source: Source
    content: Content
    described: str
    form: str = ""
    columns: Columns = field(default_factory=dict)
    path: str = ""
    members: Sequence[str] = ()


def look(source: Source) -> Look:
    """Of its first MIB, unpacked where it is packed. Raises the source's error for what is damaged there."""
    if not source.size:
        return Look(source, Content.EMPTY, "empty")
    head = first_bytes(source, 2 * LOOKED_AT_BYTES)
    name, packing = source.name, packing_of(head)
    if packing:
        head = next(unpacked(source, io.BufferedReader(BlockReader(source.stream())), packing), b"")
        name = PurePosixPath(source.name).stem
    item = Unpacked(source, unpack_into(resources().new_folder() / "head", iter([head])), name)
    found = _look(source, item, head, is_packed=packing is not None)
    return replace(found, described=f"{found.described}, packed by {packing}") if packing else found


def _look(source: Source, item: Unpacked, head: bytes, *, is_packed: bool) -> Look:
    if media := media_of(head, item.name):
        return Look(source, Content.OTHER if is_packed else media, media.value)
    if (binary := binary_of(head)) is not None:
        # What is packed has its first bytes here only; tars are read through.
        reader = _READERS.get(binary.name) if not is_packed or binary.name == "tar" else None
        return reader(source) if reader else Look(source, Content.OTHER, f"{binary.called}. {binary.advice}")
    if b"\0" in head[:LOOKED_AT_BYTES] and not marked_encoding(head):
        return Look(source, Content.OTHER, "bytes of no format that is known by its first ones")
    return _text(source, item, head)


def _parquet(source: Source) -> Look:
    return _parquet_in(source, source)


def _parquet_in(source: Source, item: Input) -> Look:
    with item.open() as data:
        table = open_parquet(data, item)
        batches = table.batches(LOOKED_AT_RECORDS)
        batch = next(batches, pa.RecordBatch.from_pylist([], table.schema))
        columns = {name: _texts(batch.column(name)) for name in table.schema.names}
        described = f"Parquet of {table.about.num_rows:,} rows in {table.about.num_row_groups:,} groups"
    return Look(source, Content.TABLE, f"{described}{_listed(columns)}", "parquet", columns)


def _texts(column: pa.Array) -> list[str | None]:
    return [None if value is None else str(value) for value in column.to_pylist()]


def _zip(source: Source) -> Look:
    with source.open() as data, open_zip(source, data) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    if "word/document.xml" in names:
        return Look(source, Content.DOCUMENT, "a Word document", "docx")
    is_workbook = WORKBOOK in names
    if is_workbook or all(unpacked_suffix(name) in EXTENSIONS for name in names):
        return _contained(source, "an Excel workbook" if is_workbook else f"a zip of {len(names):,} tables")
    return Look(source, Content.ARCHIVE, f"a zip of {len(names):,} files", "zip", members=names)


def _contained(source: Source, described: str) -> Look:
    """By its first table."""
    first = next(tables_in(source), None)
    table = opened(first, {}, binaries=("parquet",)) if first else None
    columns = columns_of(table.names, _rows(table)) if table and table.format in DELIMITERS else {}
    return Look(source, Content.TABLE, f"{described}{_listed(columns)}", "contained", columns)


def _tar(source: Source) -> Look:
    with source.open() as data:
        names = [member.name for member in islice(read_tar(source, data), LOOKED_AT_MEMBERS)]
    more = "or more " if len(names) == LOOKED_AT_MEMBERS else ""
    return Look(source, Content.ARCHIVE, f"a tar of {len(names):,} {more}files", "tar", members=names)


def _pdf(source: Source) -> Look:
    return Look(source, Content.DOCUMENT, "PDF", "pdf")


def _feather(source: Source) -> Look:
    (item,) = tables_in(source, arrow=True)
    found = _parquet_in(source, item)
    return replace(found, described=found.described.replace("Parquet", "an Arrow file", 1))


_READERS: Mapping[str, Callable[[Source], Look]] = {
    "feather": _feather,
    "parquet": _parquet,
    "zip": _zip,
    "tar": _tar,
    "pdf": _pdf,
}


def _text(source: Source, item: Unpacked, head: bytes) -> Look:
    suffix = PurePosixPath(item.name).suffix.lower()
    table = opened(item, {}, otherwise="lines")
    text = _as_text(table)
    start = text.lstrip()
    lines = [line for line in text.splitlines() if line.strip()][:LOOKED_AT_RECORDS]
    if table.format in DELIMITERS and table.format not in ("csv", "tsv"):
        return _delimited(source, table, table.format)
    if start[:1] in ("{", "["):
        return _json(source, lines, text)
    if (sequences := _sequences(start, lines)) is not None:
        return Look(source, Content.SEQUENCES, sequences.upper(), sequences)
    if are_urls([line.strip() for line in lines if not line.startswith("#")]):
        return Look(source, Content.URLS, "a list of URLs")
    if suffix in (".csv", ".tsv", ".tab"):
        return _delimited(source, table, table.format)
    if _is_log(lines, suffix):
        return Look(source, Content.LOG, "a log: its lines begin with times")
    if (document := format_by_extension(item.name)) in HEADINGS and document != "text":
        return Look(source, Content.DOCUMENT, f"a document, {document}", str(document))
    if _is_regular(maybe := opened(item, {"format": "csv"}), head):
        return _delimited(source, maybe, "csv")
    return Look(source, Content.TEXT, f"text, its first line {lines[0][:60]!r}" if lines else "white space alone")


def _as_text(table: Opened) -> str:
    """Of the head, which may end within a character; other encodings than UTF-8 have been decoded."""
    return table.item.local_path().read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")


def _delimited(source: Source, table: Opened, form: str) -> Look:
    columns = columns_of(table.names, _rows(table))
    about = "" if table.dialect == FORMATS[form] else f", {table.dialect.described()}"
    return Look(source, Content.TABLE, f"{form.upper()}{about}{_listed(columns)}", form, columns)


def _is_regular(table: Opened, head: bytes) -> bool:
    """Whether all records have as many values as the header, at least two: prose with commas has not."""
    rows = _rows(table)
    whole = rows[:-1] if len(head) >= LOOKED_AT_BYTES and len(rows) < LOOKED_AT_RECORDS else rows
    return len(whole) > 1 and {len(row) for row in (table.names, *whole)} == {max(2, len(table.names))}


def _rows(table: Opened) -> list[list[str]]:
    """The first, up to what cannot be taken apart, as the end of a head may be."""
    with table.item.open() as data:
        data.seek(table.body)
        text = data.read(LOOKED_AT_BYTES).decode(table.dialect.encoding, "replace")
    csv.field_size_limit(MIB)
    rows: list[list[str]] = []
    with suppress(csv.Error):
        reader = csv.reader(io.StringIO(text, newline=""), **table.dialect.csv_options())
        rows.extend(islice(filter(None, reader), LOOKED_AT_RECORDS))
    return rows


def _listed(columns: Columns) -> str:
    named = ", ".join([*columns][:LONGEST_LISTED])
    return f", columns {named}{', ...' if len(columns) > LONGEST_LISTED else ''}" if columns else ""


def _json(source: Source, lines: Sequence[str], text: str) -> Look:
    records = [record for line in lines if isinstance(record := _value(line), dict)]
    # Each line is an object, but for the last, which the head may end in.
    if len(records) >= max(1, len(lines) - 1) and (len(lines) > 1 or not largest_array(text)):
        names = list(dict.fromkeys(name for record in records for name in record))
        columns = {name: [_shown(record.get(name)) for record in records] for name in names}
        return Look(source, Content.TABLE, f"JSON Lines{_listed(columns)}", "jsonl", columns)
    path = largest_array(text)
    described = "a JSON document" if path is None else f"a JSON document with an array {f'at {path}' if path else ''}"
    return Look(source, Content.JSON, described.rstrip(), path=path or "")


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _shown(value: Any) -> str | None:
    """As `keys` labels it; what is no single value is no key, and each is one of its own."""
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value)


def _sequences(start: str, lines: Sequence[str]) -> str | None:
    if start.startswith(">") and len(lines) > 1 and lines[1].strip().rstrip("*").replace("-", "").isalpha():
        return "fasta"
    return "fastq" if start.startswith("@") and len(lines) > 3 and lines[2].startswith("+") else None


def _is_log(lines: Sequence[str], suffix: str) -> bool:
    """Whether a share of its lines, and the first one, have a timestamp: a table's header has none."""
    column = pa.array([line.encode() for line in lines], pa.large_binary())
    stamps = [form.texts(column) for form in KNOWN if form.name != "epoch"] if len(column) else []
    return any(
        len(texts) - texts.null_count > STAMPED_SHARE * len(texts) and (texts[0].is_valid or suffix == ".log")
        for texts in stamps
    )
