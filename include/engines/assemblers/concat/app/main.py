"""All results in one file, by chunk number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.tables.formats import DELIMITERS, EXTENSIONS
from triptych.engines.tables.record_ends import split_records

TABLES = {extension for extension, format in EXTENSIONS.items() if format in DELIMITERS}
TEXTS = TABLES | {".jsonl", ".ndjson", ".txt", ".md", ".log"}
BLOCK_BYTES = 64 * 1024


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """A header is the first record, or the first line of what is no table; empty results leave nothing."""
    extensions = {PurePosixPath(result.name).suffix.lower() for result in results}
    filled = [result for result in results if result.size]
    header_bytes = _header_bytes(filled, extensions <= TABLES, params["header"])
    newline = extensions <= TEXTS if params["newline"] is None else params["newline"]
    with output.open(params["name"] or _default_name(extensions)) as out:
        for index, result in enumerate(filled):
            last = b""
            for block in _without(result, header_bytes[index] if index else 0):
                out.write(block)
                last = block or last
            if newline and last and not last.endswith(b"\n"):
                out.write(b"\n")


def _header_bytes(results: Sequence[Result], are_tables: bool, header: bool | None) -> list[int]:
    """Of each result how long its header is, with its line end; 0 where they have none."""
    if header is False or (header is None and not are_tables):
        return [0] * len(results)
    headers = [_first_record(result, quoted=are_tables) for result in results]
    same = len({each.rstrip(b"\r\n") for each in headers}) == 1
    return [len(each) if header or same else 0 for each in headers]


def _first_record(result: Result, *, quoted: bool) -> bytes:
    with result.open() as data:
        blocks = iter(lambda: data.read(BLOCK_BYTES), b"")
        return next(split_records(blocks, result, quoted=quoted, scanned_bytes=BLOCK_BYTES), b"")


def _default_name(extensions: set[str]) -> str:
    return f"output{extensions.pop()}" if len(extensions) == 1 else "output.bin"


def _without(result: Result, skipped: int) -> Iterator[bytes]:
    """Its blocks but for the first bytes."""
    for block in result.stream():
        if skipped < len(block):
            yield block[skipped:] if skipped else block
        skipped = max(0, skipped - len(block))
