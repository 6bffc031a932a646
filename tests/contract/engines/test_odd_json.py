"""JSON that no text holds: halves of surrogate pairs (RFC 8259, 8.2), thousands of levels. Truth: Python's json."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import in_memory
from tests.support.engine_harness import Piece
from triptych.errors import EngineError, SourceError

HALVES = (
    b'{"k": "\\ud800 \\\\ud800", "at": "2026-01-01", "id": 1}\n'
    b'{"k": "\\ud83d\\ude00", "at": "2026-02-01", "id": 2, "x": ["\\uDFFF"]}\n'
)
DEEP = b'{"k": ' + b"[" * 5000 + b"]" * 5000 + b', "at": "2026-01-01", "id": 1}\n'
ROWS = [json.loads(line) for line in HALVES.splitlines()]
REFUSED: list[tuple[str, dict[str, Any], bytes]] = [
    ("sorted_concat", {"by": ["k"]}, HALVES),
    ("merge_keys", {"on": ["k"]}, HALVES),
    ("merge_keys", {"on": ["id"]}, HALVES),
    ("merge_keys", {"on": ["id"]}, DEEP),
    ("group_by", {"by": ["k"]}, HALVES),
    ("group_by", {"by": ["k"]}, DEEP),
]


@pytest.mark.parametrize(("engine", "params"), [("keys", {"columns": ["at"]}), ("dates", {"column": "at"})])
def test_records_with_half_a_pair_are_cut_as_they_are(engine: str, params: dict[str, Any]) -> None:
    pieces = in_memory.cut(engine, {"d.jsonl": HALVES}, params)
    assert [json.loads(piece.data) for piece in pieces] == ROWS
    assert b"".join(piece.data for piece in pieces) == HALVES


def test_they_are_sorted_as_they_are() -> None:
    (data,) = in_memory.joined("sorted_concat", [Piece("", HALVES)], "r.jsonl", {"by": ["id:number:desc"]}).values()
    assert [json.loads(line) for line in data.splitlines()] == ROWS[::-1]


def test_a_whole_pair_beside_a_half_one_is_a_key() -> None:
    lines = HALVES.splitlines(keepends=True)
    other = b'{"k": "a", "x": "\\ud800"}\n'
    pieces = in_memory.cut("keys", {"d.jsonl": lines[1] + other}, {"columns": ["k"]})
    assert [piece.metadata["key"]["k"] for piece in pieces] == [ROWS[1]["k"], "a"]


def test_half_a_pair_is_no_key() -> None:
    with pytest.raises(SourceError, match=r"line 1\) has half a surrogate pair in 'k'"):
        in_memory.cut("keys", {"d.jsonl": HALVES}, {"columns": ["k"]})


@pytest.mark.parametrize(
    ("engine", "params", "data"), REFUSED, ids=[f"{e}-{p}-{'halves' if d == HALVES else 'deep'}" for e, p, d in REFUSED]
)
def test_what_a_table_cannot_hold_is_refused(engine: str, params: dict[str, Any], data: bytes) -> None:
    with pytest.raises(EngineError, match=r"chunk 0, 'r\.jsonl'.*(half a surrogate pair|too many levels)"):
        in_memory.joined(engine, [Piece("", data)], "r.jsonl", params)
