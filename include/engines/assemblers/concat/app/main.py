"""All results of one name in one file, by chunk number; a header that several have is kept once."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.api import Input
from triptych.engines.dialects.formats import DELIMITERS, EXTENSIONS
from triptych.engines.dialects.headers import TablePart, headed_tables
from triptych.engines.dialects.record_ends import first_record
from triptych.engines.documents.contained import CONTAINERS, tables_of
from triptych.engines.streams.contents import closed_format, first_bytes, unpacked_name, unpacked_suffix
from triptych.engines.tables.datasets import datasets

TABLES = {extension for extension, format in EXTENSIONS.items() if format in DELIMITERS}
TEXTS = TABLES | {".jsonl", ".ndjson", ".txt", ".md", ".log"}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """One file, or one for each data set, which then has its results' name.

    Tables are put together by `headed_tables`; what is no table, as it is. Empty results leave nothing.
    """
    for name, chosen in datasets(results, params["datasets"], name_of=_name).items():
        _put(chosen, output, name or params["name"], params)


def _put(results: Sequence[Result], output: Output, name: str | None, params: Mapping[str, Any]) -> None:
    items = list(tables_of(results))
    extensions = {unpacked_suffix(item.name) for _, item in items}
    filled = [(result, item) for result, item in items if item.size]
    are_tables = extensions <= TABLES
    if not are_tables:
        _refuse_closed([item for _, item in filled[:2]])
    parts = headed_tables(filled, params) if are_tables else _plain([item for _, item in filled], params["header"])
    is_text = extensions <= TEXTS
    line_end = b"" if params["newline"] is False or not (is_text or params["newline"]) else _line_end(parts)
    with output.open(name or _default_name(extensions)) as out:
        last = b""
        for index, part in enumerate(parts):
            if last and not last.endswith((b"\n", b"\r")) and part.item.size > part.skipped:
                out.write(line_end)
            mark = BOM_UTF8 if index and is_text and not part.skipped else b""
            last = out.append(part.item, part.skipped, mark) or last
        if params["newline"] and last and not last.endswith(b"\n"):
            out.write(line_end)


def _refuse_closed(first_two: Sequence[Input]) -> None:
    """Raise the second's error where both are whole files of a format that ends; pieces of one file go together.

    The app writes all results alike, so that two tell, and no other is opened once more.
    """
    formats = [closed_format(first_bytes(item)) for item in first_two]
    if len(formats) == 2 and formats[0] is not None and formats[0] == formats[1]:
        text = (
            f"is {formats[1]}, and so is the result before it: put together they are no file that opens. Use an "
            "assembler for them (parquet, documents, image_package, audio_concat, video_concat, zip), or passthrough."
        )
        raise first_two[1].error(text)


def _name(result: Result) -> str:
    """Tables are unpacked, and those of a workbook or a zip are CSV; other results stay as they are."""
    if unpacked_suffix(result.name) in CONTAINERS:
        held = ".sam" if unpacked_suffix(result.name) == ".bam" else ".csv"
        return str(PurePosixPath(result.name).with_suffix(held))
    return unpacked_name(result.name) if unpacked_suffix(result.name) in TABLES else result.name


def _plain(items: Sequence[Input], header: bool | None) -> list[TablePart]:
    """Without the first line of those behind the first, where it is declared to be a header."""
    skipped = [len(first_record(item)) if header and number else 0 for number, item in enumerate(items)]
    return [TablePart(item, size) for item, size in zip(items, skipped, strict=True)]


def _line_end(parts: Sequence[TablePart]) -> bytes:
    """As the first line of all ends."""
    first = first_record(parts[0].item) if parts else b""
    return b"\r\n" if first.endswith(b"\r\n") else b"\n"


def _default_name(extensions: set[str]) -> str:
    return f"output{extensions.pop()}" if len(extensions) == 1 else "output.bin"
