"""The chunk list: what is written is read back, and chunks of a source learn how many they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from triptych.jobs.packs import packs
from triptych.jobs.workspace import ByteRange, ChunkEntry, Workspace
from triptych.stages.chunk_list import ChunkList, write_chunk_list
from triptych.storage.files import FileStore


def _write(entries: Iterable[ChunkEntry], folder: Path, per_pack: int = 2) -> tuple[ChunkList, bytes]:
    """What was said of the list, and its bytes."""
    store = FileStore([folder])
    workspace = Workspace(store, f"{folder.as_uri()}/w")
    scratch = folder / "scratch"
    scratch.mkdir()
    listed = write_chunk_list(entries, workspace, "t", scratch, lambda sizes: packs(len(sizes), per_pack))
    assert list(scratch.iterdir()) == []
    return listed, store.read(workspace.uri(listed.file.name))


def _lines(entries: list[ChunkEntry], folder: Path) -> list[ChunkEntry]:
    return [ChunkEntry.from_line(line) for line in _write(entries, folder)[1].splitlines()]


def test_each_pack_knows_its_own_lines(tmp_path: Path) -> None:
    order = [0, 1, 0, 0, 2]
    made = [ChunkEntry(n, f"c{n}", n, metadata={"source_index": index}) for n, index in enumerate(order)]
    listed, data = _write(made, tmp_path)
    assert (listed.chunks, listed.size) == (5, 10)
    assert (listed.file.size, listed.file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    lines = data.splitlines(keepends=True)
    assert [(pack.first, pack.count) for pack in listed.packs] == [(0, 1), (1, 2), (3, 2)]
    for pack in listed.packs:
        own = b"".join(lines[pack.first : pack.first + pack.count])
        assert data[pack.offset : pack.offset + pack.length] == own
        assert pack.sha256 == hashlib.sha256(own).hexdigest()


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
    assert [each.metadata["sources"] for each in found] == [3] * 5


def test_chunks_of_no_source_are_as_they_were(tmp_path: Path) -> None:
    made = [
        ChunkEntry(0, "ä\n", 3, sha256="ab", metadata={"source_index": None, "k": [1, {"a": "é"}]}),
        ChunkEntry(1, "r", 9, ranges=(ByteRange(0, 5, 4), ByteRange(1, 0, 5)), prefix="aGk=", items=2),
    ]
    assert _lines(made, tmp_path) == made


def test_a_line_is_one_line_of_json(tmp_path: Path) -> None:
    _, data = _write([ChunkEntry(0, "a\nb", 1, sha256="")], tmp_path)
    (line,) = data.splitlines()
    assert json.loads(line)["name"] == "a\nb"


def test_no_chunk_is_an_empty_list_and_no_pack(tmp_path: Path) -> None:
    listed, data = _write([], tmp_path)
    assert (data, listed.packs, listed.chunks) == (b"", (), 0)


def test_what_fails_while_chunks_are_made_writes_no_line(tmp_path: Path) -> None:
    """The number of parts is known at the end only, so nothing is written before."""

    def fails() -> list[ChunkEntry]:
        raise KeyError

    with pytest.raises(KeyError):
        _write((entry for entry in [ChunkEntry(0, "a", 1, sha256=""), *fails()]), tmp_path)
    assert not (tmp_path / "w").exists()
