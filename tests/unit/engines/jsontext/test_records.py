"""JSON Lines read many at once are what they are one by one, however odd the lines."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.jsontext.items import json_entries
from triptych.engines.jsontext.records import json_batches, json_records
from triptych.engines.runtime.resources import Resources, using
from triptych.errors import EngineError

LINES = [
    *(b'{"a": 1}', b"[1, 2]", b"3", b'"four"', b"null", b"1.50", b"12345678901234567890123", b'{"a": "\\n"}', b" {} "),
    *(
        b"",
        b"  ",
        b'["x"',
        b'"y"]',
        b"1,2",
        b'{"a":',
        b"}",
        b"]",
        b"[",
        b'"open',
        b'close"',
        b"NaN",
        b"\xff",
        b'"\xff"',
        b",",
    ),
]


@pytest.fixture(autouse=True)
def _memory(tmp_path: Path) -> Iterator[None]:
    with using(Resources(tmp_path, 1 << 20)):
        yield


def _file(data: bytes, block_bytes: int) -> MemoryInput:
    return MemoryInput(data, block_bytes, "r.json", chunk=0)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _found(file: MemoryInput) -> list[tuple[str, Any]]:
    return [(each.location, ... if each.error else each.value) for each in json_records(file)]


def _truth(lines: list[bytes]) -> list[tuple[str, Any]]:
    """(place, value), a value of ... for no JSON."""
    found: list[tuple[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append((f"line {number}", json.loads(line, parse_constant=_refuse)))
            except ValueError:
                found.append((f"line {number}", ...))
    return found


@pytest.mark.parametrize("seed", range(300))
def test_odd_lines(seed: int) -> None:
    draw = random.Random(seed)
    some = draw.sample(LINES, draw.randrange(1, 8))
    lines = [b'{"first": 0}', *(draw.choice(some) for _ in range(draw.randrange(20)))]
    data = draw.choice([b"\n", b"\r\n"]).join(lines) + draw.choice([b"", b"\n"])
    file = _file(data, draw.choice([1, 9, 1000]))
    assert _found(file) == _truth(lines)
    texts = [text for batch in json_batches(file) for text in batch.texts()]
    assert [text.strip() for text in texts] == [line.strip() for line in lines if line.strip()]


def test_lines_that_make_one_array_together_are_none() -> None:
    lines = [b"0", b'["x"', b'"y"]', b"1,2,3"]
    assert [value for _, value in _truth(lines)] == [0, ..., ..., ...]
    assert _found(_file(b"\n".join([*lines, b""]), 99)) == _truth(lines)


@pytest.mark.parametrize("block_bytes", [1, 10, 100])
def test_an_array_gives_what_is_sound_before_its_fault(block_bytes: int) -> None:
    file = _file(b' [{"a": 1}, [2,\n3], {"b": oh}, 4]', block_bytes)
    found = [(each.location, each.value, each.error) for each in json_records(file)]
    assert [each[:2] for each in found] == [("item 0", {"a": 1}), ("item 1", [2, 3]), ("after item 1", None)]
    assert "is no JSON: byte 26" in str(found[-1][2])


def test_a_document_of_several_lines_and_a_mark_in_front() -> None:
    for data in (b'\xef\xbb\xbf{\n"a":\n1}\n', b'\n\n{\n"a":\n1}'):
        (record,) = json_records(_file(data, 3))
        assert (record.value, record.location) == ({"a": 1}, "line 1")
    assert list(json_records(_file(b" \n", 3))) == []


def test_what_needs_too_much_memory_is_refused() -> None:
    line = b'{"a": 1}\n{"a": "' + b"x" * 300_000 + b'"}\n'
    with pytest.raises(EngineError, match=r"'r\.json': line 2 is longer than 0\.125 MiB\. Raise"):
        list(json_records(_file(line, 1000)))
    with pytest.raises(EngineError, match=r"the document is longer than 0\.125 MiB\. Write JSON Lines"):
        list(json_records(_file(b"{\n" + b'"a": 1,\n' * 80_000, 1000)))


DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize("text", [DEEP, '"\\ud800"', '{"\\udc00": ["a\\uD83D"]}', '"\\ud83d\\ude00\\udfff"'])
@pytest.mark.parametrize("around", ['{{"a": {}}}\n{{"a": 1}}\n', "[1, {}]", '{{"a":\n{}}}'])
def test_many_levels_and_halves_of_pairs_are_json(text: str, around: str) -> None:
    """RFC 8259, 8.2 and 9; truth of the values: Python's json."""
    data = around.format(text).encode()
    item = MemoryInput(data)
    assert [record.error for record in json_records(item)] == [None] * (
        2 if data.count(b"\n") == 2 or data[:1] == b"[" else 1
    )
    if text != DEEP:
        first = json.loads(data if data.count(b"\n") < 2 else data.splitlines()[0])
        values = [record.value for record in json_records(item)]
        assert (values if isinstance(first, list) else values[0]) == first
    assert sum(map(len, json_entries(MemoryInput(data.removesuffix(b'\n{"a": 1}\n')), ""))) == (
        2 if data[:1] == b"[" else 1
    )


@pytest.mark.parametrize("text", ["[" * 30_000 + "]" * 30_000, '["\\ud800", NaN]', '["\\ud800", 1e999]', '["\\ud80"]'])
def test_what_is_no_json_beside_these_is_told(text: str) -> None:
    (record,) = list(json_records(MemoryInput(f'{{"a": {text}}}'.encode())))
    assert record.error is not None
    assert "is no JSON" in record.error
    assert "recursion" not in record.error
