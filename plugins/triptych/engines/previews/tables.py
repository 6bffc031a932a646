"""The first rows of Parquet, of a workbook's first sheet, and of the list of what is in a zip, as texts."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from triptych.engines.documents.contained import WORKBOOK
from triptych.engines.documents.excel import cell_text
from triptych.engines.previews.messages import MOST_COLUMNS, MOST_LETTERS, MOST_ROWS

PARQUET = b"PAR1"
ZIP = b"PK"
COLUMN_BYTES = 64 << 10
"""Of a column of Parquet that are asked for at once; a page is read whole."""
BATCH_BYTES = 32 << 20
MOST_ITEMS = 20
"""Of a list in a cell."""
MOST_OF_BYTES = 32


@dataclass(frozen=True)
class Rows:
    """Texts, the header first; of what they are; and whether rows or columns of that are left out."""

    rows: list[list[str]]
    about: str
    is_part: bool


def rows_of(data: BinaryIO) -> Rows:
    """By the first bytes. ValueError for what is none of these; what its library raises for what is damaged."""
    head = data.read(4)
    data.seek(0)
    if head == PARQUET:
        return _parquet(data)
    if not head.startswith(ZIP):
        msg = "it is no Parquet, workbook or zip"
        raise ValueError(msg)
    with zipfile.ZipFile(data) as archive:
        names = archive.namelist()
        if WORKBOOK not in names:
            return _members(archive)
    data.seek(0)
    return _workbook(data)


def _parquet(data: BinaryIO) -> Rows:
    # Without `pre_buffer`, which reads the columns of a row group whole before the first row is there.
    file = pq.ParquetFile(data, buffer_size=COLUMN_BYTES, pre_buffer=False)
    about = file.metadata
    names = file.schema_arrow.names
    rows: list[list[str]] = []
    for batch in _batches(file, names[:MOST_COLUMNS]):
        columns = [[_of_scalar(value) for value in column] for column in batch.columns[:MOST_COLUMNS]]
        rows += map(list, zip(*columns, strict=True))
    head = [_cut(name) for name in names[:MOST_COLUMNS]]
    is_part = len(rows) < about.num_rows or len(head) < len(names)
    return Rows([head, *rows], f"{about.num_rows:,} rows, {len(names):,} columns", is_part)


def _batches(file: pq.ParquetFile, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """MOST_ROWS rows in all, of as few row groups and pages as have them."""
    left = MOST_ROWS
    for number in range(file.metadata.num_row_groups if names else 0):
        group = file.metadata.row_group(number)
        row_bytes = group.total_byte_size // max(1, group.num_rows)
        most = max(1, min(left, BATCH_BYTES // max(1, row_bytes)))
        for batch in file.iter_batches(most, row_groups=[number], columns=names, use_threads=False):
            yield batch.slice(0, left)
            left -= min(left, batch.num_rows)
            if not left:
                return


def _of_scalar(value: pa.Scalar) -> str:
    if not value.is_valid:
        return ""
    if isinstance(value, pa.ListScalar | pa.LargeListScalar | pa.FixedSizeListScalar):
        items = [_plain(item.as_py()) for item in value.values[:MOST_ITEMS]]
        return _cut(json.dumps(items if len(value.values) <= MOST_ITEMS else [*items, "…"], ensure_ascii=False))
    try:
        plain = value.as_py()
    except (ValueError, OverflowError):  # A year that Python has not, or nanoseconds.
        return _cut(str(value.cast(pa.string())))
    if isinstance(plain, dict | list):
        return _cut(json.dumps(_plain(plain), ensure_ascii=False))
    return _cut(plain if isinstance(plain, str) else cell_text(_plain(plain)))


def _plain(value: Any) -> Any:
    """As JSON has it, but for dates and numbers of other kinds, which are texts there."""
    if isinstance(value, bytes):
        return f"0x{value[:MOST_OF_BYTES].hex()}{'…' if len(value) > MOST_OF_BYTES else ''}"
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str | None) else cell_text(value)


def _workbook(data: BinaryIO) -> Rows:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of styles and extensions that openpyxl does not read.
        book = openpyxl.load_workbook(data, read_only=True, data_only=True, keep_links=False)
        seen = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not seen:
            msg = "it has no sheet with cells"
            raise ValueError(msg)
        seen[0].reset_dimensions()  # What it states of its size is often wrong.
        # One row and one column more than are shown: whether there are more.
        found = seen[0].iter_rows(max_row=MOST_ROWS + 2, max_col=MOST_COLUMNS + 1, values_only=True)
        rows = [["" if cell is None else _cut(cell_text(cell)) for cell in row] for row in found]
    width = max((index + 1 for row in rows for index, cell in enumerate(row) if cell), default=0)
    filled = [[*row, *[""] * width][:width] for row in rows]
    while filled and not any(filled[-1]):
        filled.pop()
    is_part = len(filled) > MOST_ROWS + 1 or width > MOST_COLUMNS
    shown = [row[:MOST_COLUMNS] for row in filled[: MOST_ROWS + 1]]
    return Rows(shown, f"Sheet {_cut(seen[0].title)}, the first of {len(seen):,}", is_part)


def _members(archive: zipfile.ZipFile) -> Rows:
    entries = archive.infolist()
    rows = [[_cut(entry.filename), f"{entry.file_size:,}"] for entry in entries[:MOST_ROWS]]
    return Rows([["file", "bytes"], *rows], f"{len(entries):,} entries of a zip", len(rows) < len(entries))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…"
