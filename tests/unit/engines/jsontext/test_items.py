"""Entries of JSON found without building them: the standard library's, whatever the blocks; and where it is no JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.jsontext.items import json_entries
from triptych.engines.runtime.resources import Resources, using
from triptych.errors import SourceError

STRINGS = [
    "",
    "a",
    "ü, 報",
    '"',
    "\\",
    '\\"',
    "[",
    "}",
    ",",
    "{]",
    '\\\\"',
    "\n\t",
    "x" * 70,
    "]" * 66,
    '"' * 9,
    "\\" * 65,
]
SCALARS: list[Any] = [*STRINGS, 0, -1.5e300, 12345678901234567890123, True, False, None, [], {}]


@pytest.fixture(autouse=True)
def _memory(tmp_path: Path) -> Iterator[None]:
    with using(Resources(tmp_path, 1 << 20)):
        yield


def _value(draw: random.Random, depth: int) -> Any:
    if depth == 0 or draw.random() < 0.3:
        return draw.choice(SCALARS)
    values = [_value(draw, depth - 1) for _ in range(draw.randrange(4))]
    return values if draw.random() < 0.5 else {f"{draw.choice(STRINGS)}{n}": v for n, v in enumerate(values)}


@dataclass(frozen=True)
class _OddBlocks(MemoryInput):
    """In blocks of sizes around those of words."""

    seed: int = 0

    def stream(self) -> Iterator[bytes]:
        draw, data = random.Random(self.seed), self.data
        while data:
            size = draw.choice([1, 2, 7, 63, 64, 65, 300])
            yield data[:size]
            data = data[size:]


def _found(data: bytes, path: str, seed: int = 0) -> list[Any]:
    """Values of arrays, (key, value) of objects; and each entry's text stands where it is said to."""
    found: list[Any] = []
    for entries in json_entries(_OddBlocks(data, name="a.json", seed=seed), path):
        assert data[int(entries.starts[0]) : int(entries.ends[-1])] == entries.text
        for text, start, end in zip(entries.texts(), entries.starts, entries.ends, strict=True):
            assert data[start:end].strip() == text
            found += json.loads(b"{" + text + b"}").items() if entries.keyed else [json.loads(text)]
    return found


def _entries(value: Any) -> list[Any]:
    return list(value.items()) if isinstance(value, dict) else value


@pytest.mark.parametrize("seed", range(150))
def test_entries_are_those_of_the_standard_library(seed: int) -> None:
    draw = random.Random(seed)
    values: list[Any] = [_value(draw, 3) for _ in range(draw.randrange(8))]
    wanted = values if draw.random() < 0.5 else {f"k{n}": value for n, value in enumerate(values)}
    rows = [{"x": _value(draw, 2), "rows": [n, _value(draw, 2)]} for n in range(draw.randrange(1, 4))]
    document = {"before": _value(draw, 3), "a": {"skip": _value(draw, 3), "b": wanted}, "rows": rows, "c": {"b": [1]}}
    for indent in (None, 1):
        data = f" {json.dumps(document, indent=indent, ensure_ascii=draw.random() < 0.5)}\n".encode()
        assert _found(data, "a.b", seed) == _entries(wanted)
        assert _found(data, "", seed) == _entries(document)
        assert _found(data, "rows.item.rows", seed) == [item for row in rows for item in row["rows"]]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": [1, 2}', "byte 11: another bracket"),
        ('{"a": [1, 2', "ends at byte 11 inside 2 open brackets"),
        ('{"a": [1, "2', "ends at byte 12 inside the string of byte 10"),
        ('{"a": [1, "\\"]}', "inside the string of byte 10"),
        ('{"a": [1]]}', "byte 9: another bracket|byte 10 closes what was never"),
        ('{"a": []}}', "byte 9 closes what was never opened"),
        ('{"a": []} x', "byte 9: more follows"),
        ('{"a": []} []', "byte 10: a bracket opens"),
        ('{"a": [] []}', "byte 9: a bracket opens"),
        ('{"a": [] 1}', "byte 9: a comma"),
        ('{"a": [1,,2]}', "byte 9"),
        ('{"a": [1, 2,]}', "byte 12"),
        ('{"a": [,]}', "byte 7"),
        ('{"a": [1, {"b" 2}]}', "byte 15"),
        ('{"a": [NaN]}', "byte 7"),
        ('{"a" [1]}', "byte 5"),
        ("{a: [1]}", "byte 1"),
        ('{"z": oh, "a": [1]}', "byte 6"),
        ('{"z": {"y": oh}, "a": [1]}', "byte 12"),
        ('{"z": 1, "a": [1],}', "byte 18"),
        ('["a", {"a": [1]} "b"]', "no array|byte"),
        ("what", "byte 0"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_no_json_is_refused_where_it_is(text: str, place: str, seed: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.loads(text, parse_constant=lambda name: json.loads("?"))
    with pytest.raises(SourceError, match=f"a.json.*({place})"):
        _found(text.encode(), "a", seed)


def test_bytes_that_are_no_text_are_refused_where_they_are() -> None:
    with pytest.raises(SourceError, match="byte 10: is not UTF-8"):
        _found(b'["one", "t\xffo"]', "")


def test_a_byte_order_mark_is_no_value() -> None:
    assert _found(b"\xef\xbb\xbf[1, 2]", "") == [1, 2]


def test_an_entry_that_needs_too_much_memory_is_refused_and_one_beside_the_path_is_not() -> None:
    large = json.dumps(["x" * 300_000])
    with pytest.raises(SourceError, match="entry at byte 1 is longer"):
        _found(f'{{"a": {large}}}'.encode(), "")
    assert _found(f'{{"z": {large}, "a": [1, 2], "y": {large}}}'.encode(), "a") == [1, 2]
