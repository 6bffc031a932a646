"""JSON documents, arrays and JSON Lines as one stream of records; and values inside them by dotted name."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from triptych.engines.api import Result, Source
from triptych.engines.resources import need, resources
from triptych.engines.streams import BlockReader
from triptych.errors import EngineError

Reader: TypeAlias = "io.BufferedReader[Any]"
MEMORY_SHARE = 8
"""One document, parsed, takes several times its size."""
_SPACE = b" \t\r\n"


@dataclass(frozen=True)
class Record:
    """`value`, or why it could not be read; `place` is a line (from 1) or the index of an array's item (from 0)."""

    value: Any
    place: str
    fault: str | None = None


def json_records(file: Source | Result) -> Iterator[Record]:
    """An array's items, the lines of JSON Lines, or the one document; an empty file has none."""
    with io.BufferedReader(BlockReader(file.stream())) as data:
        start = _first_byte(data)
        if start == b"[" and not _is_lines(data):
            yield from _items(data)
        elif start:
            yield from _lines_or_document(data, file.name)


def pick(record: Any, name: str) -> Any:
    """The value at `a.b.0` (keys and list indices); KeyError when there is none. An empty name is the whole."""
    for part in filter(None, name.split(".")):
        try:
            record = record[int(part)] if isinstance(record, list) else record[part]
        except (IndexError, TypeError, ValueError) as error:
            raise KeyError(name) from error
    return record


def _first_byte(data: Reader) -> bytes:
    """The first byte that is no white space, which is then the next to be read."""
    while ahead := data.peek(1):
        rest = ahead.lstrip(_SPACE)
        data.read(len(ahead) - len(rest))
        if rest:
            return rest[:1]
    return b""


def _is_lines(data: Reader) -> bool:
    """Whether the first line alone is an array: then each line is a record."""
    line, newline, rest = data.peek(1).partition(b"\n")
    if not newline or not rest.strip():
        return False
    return _is_json(line)


def _items(data: Reader) -> Iterator[Record]:
    ijson = need("ijson", "tables")
    index = -1
    try:
        for index, value in enumerate(ijson.items(data, "item", use_float=True)):
            yield Record(value, f"item {index}")
    except ijson.JSONError as error:
        yield Record(None, f"after item {index}", f"is no JSON: {error}")


def _lines_or_document(data: Reader, what: str) -> Iterator[Record]:
    """Line by line; a first line that is no JSON by itself may begin a document that takes the whole file."""
    first = data.readline()
    if not _is_json(first):
        limit = resources().memory_bytes // MEMORY_SHARE
        document = first + data.read(limit)
        if data.peek(1):
            msg = f"{what}: line 1 is no JSON, and a document may have {limit >> 20} MiB at most. Write JSON Lines."
            raise EngineError(msg)
        if _is_json(document):
            yield Record(json.loads(document), "line 1")
            return
        lines: Iterable[bytes] = document.splitlines()
    else:
        lines = chain([first], data)
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _of_line(line, f"line {number}")


def _of_line(line: bytes, place: str) -> Record:
    try:
        return Record(json.loads(line), place)
    except ValueError as error:
        return Record(line.decode(errors="replace").rstrip("\r\n"), place, f"is no JSON: {error}")


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
