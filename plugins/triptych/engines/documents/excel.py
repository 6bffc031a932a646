"""Excel workbooks as CSV, sheet by sheet and row by row; read only.

openpyxl streams a sheet's rows; what it holds whole (shared texts, styles) is bounded before it reads, and so is the
longest run of text in a sheet. A workbook of many rows takes time: some 3,400 rows of ten cells a second.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import openpyxl

from triptych.engines.archives.zips import entry_blocks
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.unpacking import Expansion
from triptych.errors import TriptychError
from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from triptych.engines.api import Input

SHEETS = "xl/worksheets/"
MEDIA = ("xl/media/", "xl/embeddings/", "docProps/")
"""Parts that are never read."""
WHOLE_SHARE = 1 / 32
"""Of the engine's memory, for each part that is read whole: as values it takes some ten times as much."""
MOST_ROWS = 1 << 20
"""Of a sheet (Excel's own limit)."""
BLOCK_ROWS = 1000
_BEHIND = 256
"""Of a block, to be looked at with the next: a cell's end may lie across both."""
_NO_VALUE = re.compile(rb"(?:</f>|<f(?:\s[^<>]*)?/>)\s*</c>")
"""A formula that no value follows in its cell."""
_QUOTED = re.compile(r'[,;\t|"\r\n]')
"""Every delimiter that is looked for when a table's dialect is found."""
_log = harmless_logger(__name__)


def sheets(item: Input, archive: zipfile.ZipFile) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Of each visible sheet with a value its name, and its rows as CSV in UTF-8, in blocks; empty rows are left out.

    Dates are ISO 8601, truth true and false, and formulas what Excel last made of them. Raises the item's error where
    a formula's value is not in the file, and for a part that is beyond the memory.
    """
    _check(item, archive)
    with item.open() as data:
        book = _of_excel(item, lambda: openpyxl.load_workbook(data, read_only=True, data_only=True, keep_links=False))
        expansion = Expansion(item)
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                _log.warning("%s: the hidden sheet %r is left out", item.label, sheet.title)
                continue
            sheet.reset_dimensions()  # What it states of its size is often wrong; its cells tell where they are.
            rows = _rows(item, sheet)
            if (first := next(rows, None)) is None:
                _log.warning("%s: the sheet %r is empty, and left out", item.label, sheet.title)
                continue
            yield sheet.title, _counted(_blocks(first, rows), expansion, sheet.title)


def _check(item: Input, archive: zipfile.ZipFile) -> None:
    expansion = Expansion(item)
    for entry in archive.infolist():
        if entry.filename.startswith(MEDIA):
            continue
        if not entry.filename.startswith(SHEETS):
            whole = resources().share(WHOLE_SHARE, f"{entry.filename!r} in it, which is read whole,")
            whole.check(entry.file_size, item, "Save the sheet as CSV.")
            expansion.add(entry.file_size, entry.filename)
            continue
        _check_sheet(item, entry.filename, _counted(entry_blocks(archive, entry, item), expansion, entry.filename))


def _counted(blocks: Iterator[bytes], expansion: Expansion, name: str) -> Iterator[bytes]:
    for block in blocks:
        expansion.add(len(block), name)
        yield block


def _check_sheet(item: Input, name: str, blocks: Iterator[bytes]) -> None:
    """Raises the item's error for a text between two tags beyond the longest line, and a formula without its value."""
    behind, length = b"", 0
    longest = resources().longest_line(f"a text in {name!r} in it")
    for block in blocks:
        if _NO_VALUE.search(behind + block):
            text = (
                f"{name!r} in it has a formula whose value is not in the file, as programs other than Excel leave it. "
                "Open it in Excel or LibreOffice once and save it, or save it as CSV."
            )
            raise item.error(text)
        behind = block[-_BEHIND:]
        last = block.rfind(b"<")
        length = length + len(block) if last < 0 else len(block) - last
        longest.check(length, item)


def _of_excel(item: Input, read: Callable[[], Any]) -> Any:
    """What openpyxl reads; the item's error for whatever its parsers raise, which are of every sort."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of styles and extensions that it does not read; values it does.
            return read()
    except TriptychError:
        raise
    except Exception as error:
        text = "cannot be read as an Excel workbook. Save it anew as .xlsx in Excel or LibreOffice, or as CSV."
        raise item.error(text) from error


def _rows(item: Input, sheet: Any) -> Iterator[list[str]]:
    """The texts of each row that has one, all as wide as the first at least."""
    rows = sheet.iter_rows(values_only=True)
    width = number = 0
    while (row := _of_excel(item, lambda: next(rows, None))) is not None:
        number += 1
        if number > MOST_ROWS:
            text = f"{sheet.title!r} in it has more than {MOST_ROWS:,} rows, the most that Excel has. Save it as CSV."
            raise item.error(text)
        texts = ["" if value is None else cell_text(value) for value in row]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            width = width or len(texts)
            yield texts + [""] * (width - len(texts))


def cell_text(value: Any) -> str:
    """As it stands in CSV: 3.0 -> 3, True -> true, midnight of a day -> 2026-01-02, 26 hours -> 26:00:00."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(value)


def _blocks(first: list[str], rows: Iterator[list[str]]) -> Iterator[bytes]:
    lines: list[str] = []
    for row in chain([first], rows):
        lines.append(",".join([_quoted(text) if text else "" for text in row]) + "\n")
        if len(lines) == BLOCK_ROWS:
            yield "".join(lines).encode()
            lines = []
    yield "".join(lines).encode()


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""')) if _QUOTED.search(text) else text
