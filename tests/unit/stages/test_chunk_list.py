"""The chunk list: what is written is read back, and chunks of a source learn how many they are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from triptych.jobs.workspace import ByteRange, ChunkEntry
from triptych.stages.chunk_list import write_chunk_list


def _lines(entries: list[ChunkEntry], scratch: Path) -> list[ChunkEntry]:
    out = io.BytesIO()
    write_chunk_list(iter(entries), out, scratch)
    return [ChunkEntry.from_line(line) for line in out.getvalue().splitlines()]


def test_parts_are_counted_for_each_source(tmp_path: Path) -> None:
    order = [0, 1, 0, 0, 2]
    made = [ChunkEntry(n, f"c{n}", 1, metadata={"source_index": index, "x": n}) for n, index in enumerate(order)]
    found = _lines(made, tmp_path)
    assert [(each.metadata["part"], each.metadata["parts"]) for each in found] == [
        (0, 3),
        (0, 1),
        (1, 3),
        (2, 3),
        (0, 1),
    ]
    assert [each.metadata["x"] for each in found] == [0, 1, 2, 3, 4]


def test_chunks_of_no_source_are_as_they_were(tmp_path: Path) -> None:
    made = [
        ChunkEntry(0, "ä\n", 3, sha256="ab", metadata={"source_index": None, "k": [1, {"a": "é"}]}),
        ChunkEntry(1, "r", 9, ranges=(ByteRange(0, 5, 4), ByteRange(1, 0, 5)), prefix="aGk=", items=2),
    ]
    assert _lines(made, tmp_path) == made


def test_a_line_is_one_line_of_json(tmp_path: Path) -> None:
    out = io.BytesIO()
    write_chunk_list([ChunkEntry(0, "a\nb", 1, sha256="")], out, tmp_path)
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["name"] == "a\nb"


def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path) -> None:
    assert _lines([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_fails_while_chunks_are_made_writes_no_line(tmp_path: Path) -> None:
    """The number of parts is known at the end only, so nothing is written before."""

    def fails() -> list[ChunkEntry]:
        raise KeyError

    out = io.BytesIO()
    with pytest.raises(KeyError):
        write_chunk_list((entry for entry in [ChunkEntry(0, "a", 1, sha256=""), *fails()]), out, tmp_path)
    assert out.getvalue() == b""
