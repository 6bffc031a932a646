"""All results in one file, by chunk number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result

TABLES = {".csv", ".tsv"}
TEXTS = TABLES | {".jsonl", ".ndjson", ".txt", ".md", ".log"}
MAX_HEADER_BYTES = 1024 * 1024


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    kinds = {PurePosixPath(result.name).suffix.lower() for result in results}
    filled = [result for result in results if result.size]
    header = params["header"]
    if header is None:
        header = bool(filled) and kinds <= TABLES and len({_first_line(result) for result in filled}) == 1
    newline = kinds <= TEXTS if params["newline"] is None else params["newline"]
    with output.open(params["name"] or _default_name(kinds)) as out:
        for index, result in enumerate(filled):
            last = b""
            for block in _blocks(result, skip_header=header and index > 0):
                out.write(block)
                last = block or last
            if newline and last and not last.endswith(b"\n"):
                out.write(b"\n")


def _default_name(kinds: set[str]) -> str:
    return f"output{kinds.pop()}" if len(kinds) == 1 else "output.bin"


def _first_line(result: Result) -> bytes:
    with result.open() as data:
        return data.readline(MAX_HEADER_BYTES).rstrip(b"\r\n")


def _blocks(result: Result, skip_header: bool) -> Iterator[bytes]:
    skipping = skip_header
    for block in result.stream():
        if not skipping:
            yield block
        elif (end := block.find(b"\n")) >= 0:
            skipping = False
            yield block[end + 1 :]
