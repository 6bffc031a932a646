"""JSON documents, arrays and JSON Lines as one stream of records; and values inside them by dotted name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from typing import Any

from triptych.engines.api import Result, Source
from triptych.engines.jsontext.items import MEMORY_SHARE, Entries, json_entries
from triptych.engines.jsontext.structure import NotJsonError
from triptych.engines.runtime.resources import need, resources
from triptych.errors import EngineError

BATCH_BYTES = 256 * 1024
_SPACE = b" \t\r\n"
_MARK = os.urandom(16).hex()
_BETWEEN = f',"{_MARK}",'.encode()
_NO_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


@dataclass(frozen=True)
class Record:
    """`value`, or why it could not be read; `place` is a line (from 1) or the index of an array's item (from 0)."""

    value: Any
    place: str
    fault: str | None = None


@dataclass(frozen=True)
class Batch:
    """Consecutive records: their values, and the `numbers` of their lines or items (`kind`).

    `faults` says by index which could not be read, and why; their values are no more than shown text. `lines` gives
    the records as JSON Lines, in the source's own words.
    """

    values: list[Any]
    kind: str
    numbers: Sequence[int]
    lines: Callable[[], bytes]
    faults: Mapping[int, str] = field(default_factory=dict)

    def records(self) -> Iterator[Record]:
        for index, value in enumerate(self.values):
            yield Record(value, self.place(index), self.faults.get(index))

    def place(self, index: int) -> str:
        return f"{self.kind} {self.numbers[index]}"

    def texts(self) -> list[bytes]:
        """Each record in a line of its own, without its end."""
        return self.lines().removesuffix(b"\n").split(b"\n")


def json_records(file: Source | Result) -> Iterator[Record]:
    """An array's items, the lines of JSON Lines, or the one document; an empty file has none."""
    for batch in json_batches(file):
        yield from batch.records()


def json_batches(file: Source | Result) -> Iterator[Batch]:
    """The same records, many at once. EngineError for one that needs more memory than there is."""
    blocks = _small(file.stream())
    head = b""
    for block in blocks:
        head += block
        if len(head.lstrip(_SPACE)) >= BATCH_BYTES:
            break
    rest = chain([head], blocks)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    if start.startswith(b"[") and not _is_lines(start):
        yield from _items(rest, file.name)
    elif start:
        yield from _lines_or_document(chain([start], blocks), file.name)


def _small(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """What is parsed takes ten times as much memory, and a merge reads many files at once."""
    for block in blocks:
        for begin in range(0, len(block), BATCH_BYTES):
            yield block[begin : begin + BATCH_BYTES]


def pick(record: Any, name: str) -> Any:
    """The value at `a.b.0` (keys and list indices); KeyError when there is none. An empty name is the whole."""
    for part in filter(None, name.split(".")):
        try:
            record = record[int(part)] if isinstance(record, list) else record[part]
        except (IndexError, TypeError, ValueError) as error:
            raise KeyError(name) from error
    return record


def _is_lines(head: bytes) -> bool:
    """Whether the first line alone is an array: then each line is a record."""
    line, newline, rest = head.partition(b"\n")
    return bool(newline and rest.strip()) and _is_json(line)


def _items(blocks: Iterable[bytes], what: str) -> Iterator[Batch]:
    index = 0
    try:
        for entries in json_entries(blocks, what, ""):
            yield _of_items(entries, index)
            index += len(entries.ends)
    except NotJsonError as error:
        reason = str(error).removeprefix(f"{what}: ")
        yield Batch([None], "after item", [index - 1], lambda: b"null\n", {0: reason})


def _of_items(entries: Entries, first: int) -> Batch:
    def lines() -> bytes:
        return b"".join(text.translate(_NO_LINE_ENDS) + b"\n" for text in entries.texts())

    try:
        values = decode(b"[%b]" % entries.text)
    except (ValueError, RecursionError):
        return _one_by_one(lines().removesuffix(b"\n"), "item", first)
    return Batch(values, "item", range(first, first + len(values)), lines)


def _lines_or_document(blocks: Iterator[bytes], what: str) -> Iterator[Batch]:
    """Line by line; a first line that is no JSON by itself may begin a document that takes the whole file."""
    whole = _whole_lines(blocks, what)
    first = next(whole)
    if not _is_json(first.partition(b"\n")[0]):
        first += b"".join(_at_most(whole, what, len(first)))
        if _is_json(first):
            text = first.strip().translate(_NO_LINE_ENDS) + b"\n"
            yield Batch([decode(first)], "line", [1], lambda: text)
            return
    number = 1
    for block in chain([first], whole):
        batch = _of_lines(block, number)
        number += block.count(b"\n")
        if batch.values:
            yield batch


def _at_most(blocks: Iterable[bytes], what: str, size: int) -> Iterator[bytes]:
    limit = resources().memory_bytes // MEMORY_SHARE
    for block in blocks:
        size += len(block)
        if size > limit:
            msg = f"{what}: line 1 is no JSON, and a document may have {limit >> 20} MiB at most. Write JSON Lines."
            raise EngineError(msg)
        yield block


def _whole_lines(blocks: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Blocks that end with a line, but for the last."""
    limit, rest, number = resources().memory_bytes // MEMORY_SHARE, b"", 1
    for block in blocks:
        if end := block.rfind(b"\n") + 1:
            yield rest + block[:end]
            number, rest = number + block.count(b"\n"), b""
        rest += block[end:]
        if len(rest) > limit:
            msg = f"{what}: line {number} is longer than {limit >> 20} MiB. Raise [triptych] engine_memory_mib."
            raise EngineError(msg)
    if rest:
        yield rest


def _of_lines(block: bytes, first: int) -> Batch:
    """The lines parsed as one array, with a mark that is in no file between each two.

    As every mark comes out as an item of its own, no line went over its end, and each was one value.
    """
    text = block.replace(b"\r\n", b"\n") if b"\r" in block else block
    body = text.removesuffix(b"\n")
    count = body.count(b"\n") + 1
    try:
        found = decode(b"[%b]" % body.replace(b"\n", _BETWEEN))
    except (ValueError, RecursionError):
        return _one_by_one(body, "line", first)
    if len(found) != 2 * count - 1 or found[1::2] != [_MARK] * (count - 1):
        return _one_by_one(body, "line", first)
    return Batch(found[::2], "line", range(first, first + count), lambda: body + b"\n")


def _one_by_one(body: bytes, kind: str, first: int) -> Batch:
    values: list[Any] = []
    faults: dict[int, str] = {}
    numbers, lines = [], []
    for number, line in enumerate(body.split(b"\n"), first):
        if not line.strip():
            continue
        try:
            values.append(decode(line))
        except (ValueError, RecursionError) as error:
            faults[len(values)] = f"is no JSON: {error}"
            values.append(line.decode(errors="replace"))
        numbers.append(number)
        lines.append(line + b"\n")
    return Batch(values, kind, numbers, partial(b"".join, lines), faults)


def _is_json(data: bytes) -> bool:
    try:
        decode(data)
    except (ValueError, RecursionError):
        return False
    return True


def decode(data: bytes) -> Any:
    """Whole numbers of any length are exact; NaN and numbers beyond a float's range are no JSON."""
    return _decoder().decode(data)


def decode_lines(data: bytes) -> list[Any]:
    """Of lines that are known to be JSON, each."""
    return _decoder().decode_lines(data)  # type: ignore[no-any-return]  # Of type Any.


@cache
def _decoder() -> Any:
    return need("msgspec", "tables").json.Decoder()
