"""JSON documents, arrays and JSON Lines as one stream of records; and values inside them by dotted name."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import msgspec

from triptych.engines.api import Input
from triptych.engines.jsontext.decoding import json_value
from triptych.engines.jsontext.items import Entries, entries_at
from triptych.engines.jsontext.paths import Json
from triptych.engines.jsontext.structure import NotJsonError
from triptych.engines.runtime.resources import resources

BATCH_BYTES = 256 * 1024
_SPACE = b" \t\r\n"
_BETWEEN = os.urandom(16).hex()
"""A text that is in no file."""
_SEPARATOR = f',"{_BETWEEN}",'.encode()
_NO_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_DECODER = msgspec.json.Decoder()


class Digits(str):
    """A number of JSON with a point or an exponent, as it is written: 1.50."""

    __slots__ = ()


_EXACT_DECODER = msgspec.json.Decoder(float_hook=Digits)


@dataclass(frozen=True)
class Record:
    """`value`, or why it could not be read; `location` is a line (from 1) or the index of an array's item (from 0)."""

    value: Json
    location: str
    error: str | None = None


@dataclass(frozen=True)
class JsonBatch:
    """Consecutive records: their values, and the `numbers` of their lines or items (`counted`: "line" or "item").

    `errors` says by index which could not be read, and why; their values are no more than shown text. `lines` gives
    the records as JSON Lines, in the source's own words.
    """

    values: list[Any]
    counted: str
    numbers: Sequence[int]
    lines: Callable[[], bytes]
    errors: Mapping[int, str] = field(default_factory=dict)

    def records(self) -> Iterator[Record]:
        """One by one, with their location."""
        for index, value in enumerate(self.values):
            yield Record(value, self.location(index), self.errors.get(index))

    def location(self, index: int) -> str:
        """Where the record of this index is: `line 3`, `item 0`."""
        return f"{self.counted} {self.numbers[index]}"

    def other_than_object(self) -> str | None:
        """Where the first record is that is no object, or could not be read, and why; None where all are objects."""
        if not self.errors and set(map(type, self.values)) <= {dict}:
            return None
        for index, value in enumerate(self.values):
            if index in self.errors or type(value) is not dict:
                return f"{self.location(index)}: {self.errors.get(index, 'is no JSON object')}"
        return None

    def texts(self) -> list[bytes]:
        """Each record in a line of its own, without its end."""
        return self.lines().removesuffix(b"\n").split(b"\n")


def json_records(item: Input) -> Iterator[Record]:
    """An array's items, the lines of JSON Lines, or the one document; an empty file has none."""
    for batch in json_batches(item):
        yield from batch.records()


def json_batches(item: Input) -> Iterator[JsonBatch]:
    """The same records, many at once. Raises the item's error for one that needs more memory than there is."""
    blocks = _small(item.stream())
    head, start = _beginning(blocks)
    if _is_array(start):
        yield from _items(chain([head], blocks), item)
    elif start:
        yield from _lines_or_document(chain([start], blocks), item)


def json_lines(item: Input) -> Iterator[bytes]:
    """The records as JSON Lines, in the source's own words: the file itself, or an array's items.

    Raises the item's error for an item of an array that is no JSON.
    """
    blocks = item.stream()
    head, start = _beginning(blocks)
    if not _is_array(start):
        yield from chain([head], blocks)
        return
    for batch in json_batches(item):
        for index, error in batch.errors.items():
            text = f"{batch.location(index)} {error}"
            raise item.error(text)
        yield batch.lines()


def _small(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """What is parsed takes ten times as much memory, and a merge reads many files at once."""
    for block in blocks:
        for begin in range(0, len(block), BATCH_BYTES):
            yield block[begin : begin + BATCH_BYTES]


def _beginning(blocks: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The first blocks, with BATCH_BYTES at least behind white space; and the same without mark and white space."""
    head = b""
    for block in blocks:
        head += block
        if len(head.lstrip(_SPACE)) >= BATCH_BYTES:
            break
    return head, head.removeprefix(BOM_UTF8).lstrip(_SPACE)


def _is_array(start: bytes) -> bool:
    """Whether its items are the records; where the first line alone is an array, each line is one."""
    line, newline, rest = start.partition(b"\n")
    has_lines = bool(newline and rest.strip()) and _is_json(line)
    return start.startswith(b"[") and not has_lines


def _items(blocks: Iterable[bytes], item: Input) -> Iterator[JsonBatch]:
    index = 0
    try:
        for entries in entries_at(blocks, item, ""):
            yield _of_items(entries, index)
            index += len(entries)
    except NotJsonError as error:
        yield JsonBatch([None], "after item", [index - 1], lambda: b"null\n", {0: str(error)})


def _of_items(entries: Entries, first: int) -> JsonBatch:
    def lines() -> bytes:
        return b"".join(text.translate(_NO_LINE_ENDS) + b"\n" for text in entries.texts())

    try:
        values = _DECODER.decode(b"[%b]" % entries.text)
    except (ValueError, RecursionError):
        return _one_by_one(lines().removesuffix(b"\n"), "item", first)
    return JsonBatch(values, "item", range(first, first + len(values)), lines)


def _lines_or_document(blocks: Iterator[bytes], item: Input) -> Iterator[JsonBatch]:
    """Line by line; a first line that is no JSON by itself may begin a document that takes the whole file."""
    whole = _whole_lines(blocks, item)
    first = next(whole)
    if not _is_json(first.partition(b"\n")[0]):
        first += b"".join(_at_most(whole, item, len(first)))
        if _is_json(first):
            text = first.strip().translate(_NO_LINE_ENDS) + b"\n"
            yield JsonBatch([decode(first)], "line", [1], lambda: text)
            return
    number = 1
    for block in chain([first], whole):
        batch = _of_lines(block, number)
        number += block.count(b"\n")
        if batch.values:
            yield batch


def _at_most(blocks: Iterable[bytes], item: Input, size: int) -> Iterator[bytes]:
    document = resources().longest_line("line 1 is no JSON by itself, and the document")
    for block in blocks:
        size += len(block)
        document.check(size, item, "Write JSON Lines.")
        yield block


def _whole_lines(blocks: Iterable[bytes], item: Input) -> Iterator[bytes]:
    """Blocks that end with a line, but for the last."""
    most, rest, number = resources().longest_line().bytes, b"", 1
    for block in blocks:
        if end := block.rfind(b"\n") + 1:
            yield rest + block[:end]
            number, rest = number + block.count(b"\n"), b""
        rest += block[end:]
        if len(rest) > most:
            raise resources().longest_line(f"line {number}").exceeded(item)
    if rest:
        yield rest


def _of_lines(block: bytes, first: int) -> JsonBatch:
    """The lines parsed as one array, with a text that is in no file between each two.

    As each of these comes out as an item of its own, no line went over its end, and each was one value: msgspec's own
    `decode_lines` takes `1 2` in one line for two records.
    """
    text = block.replace(b"\r\n", b"\n") if b"\r" in block else block
    body = text.removesuffix(b"\n")
    count = body.count(b"\n") + 1
    try:
        values = _DECODER.decode(b"[%b]" % body.replace(b"\n", _SEPARATOR))
    except (ValueError, RecursionError):
        return _one_by_one(body, "line", first)
    if len(values) != 2 * count - 1 or values[1::2] != [_BETWEEN] * (count - 1):
        return _one_by_one(body, "line", first)
    return JsonBatch(values[::2], "line", range(first, first + count), lambda: body + b"\n")


def _one_by_one(body: bytes, counted: str, first: int) -> JsonBatch:
    values: list[Any] = []
    errors: dict[int, str] = {}
    numbers, lines = [], []
    for number, line in enumerate(body.split(b"\n"), first):
        if not line.strip():
            continue
        try:
            values.append(decode(line))
        except (ValueError, RecursionError) as error:
            errors[len(values)] = f"is no JSON: {error}"
            values.append(line.decode(errors="replace"))
        numbers.append(number)
        lines.append(line + b"\n")
    return JsonBatch(values, counted, numbers, partial(b"".join, lines), errors)


def _is_json(data: bytes) -> bool:
    try:
        decode(data)
    except (ValueError, RecursionError):
        return False
    return True


def decode(data: bytes) -> Json:
    """Whole numbers of any length are exact; NaN and numbers beyond a float's range are no JSON (ValueError)."""
    value: Json = json_value(data)
    return value


def decode_lines(data: bytes) -> list[Any]:
    """Of lines that are known to be JSON, each."""
    values: list[Any] = _DECODER.decode_lines(data)
    return values


def exact_lines(data: bytes) -> list[Any]:
    """The same, with numbers that are not whole as `Digits`, which no float rounds."""
    values: list[Any] = _EXACT_DECODER.decode_lines(data)
    return values
