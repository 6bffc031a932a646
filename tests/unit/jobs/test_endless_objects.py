"""Objects in the workspace that never end: each reader stops at a bound, says which object it was, and holds no more.

They are holes of 8 GiB in a file, as whoever can write to a workspace may leave them, or one of our own that is broken.
"""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.pack_logs import planned, tried
from triptych.engines import Chunk
from triptych.errors import EngineError, IntegrityError
from triptych.jobs import pack_log, workspace
from triptych.jobs.pack_log import PackLog, read_states
from triptych.jobs.packs import packs
from triptych.jobs.plan import FrozenBlock, PlanRef, newest_plan, read_job, read_plan
from triptych.jobs.report import read_report
from triptych.jobs.workspace import Workspace
from triptych.stages.chunk_list import ChunkStore, UploadLimits, write_chunk_list
from triptych.stages.frozen_code import open_code
from triptych.stages.publishing import records as publishing
from triptych.stages.publishing.publisher import EarlierOutput
from triptych.stages.publishing.records import Making, Records, Used
from triptych.storage import FileEntry
from triptych.storage.files import FileStore

HOLE_BYTES = 8 << 30
MIB = 1 << 20


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(FileStore([tmp_path]), tmp_path.as_uri())


def _records(place: Workspace) -> Records:
    return Records(place.store, place.root)


def _code(place: Workspace) -> object:
    return open_code(place, FrozenBlock("a@1.0", "0" * 64, None, None), Path(place.root.removeprefix("file://")))


LISTED = FileEntry("chunks/t.jsonl", HOLE_BYTES, "0" * 64)
READERS: Mapping[str, tuple[str, Callable[[Workspace], object], int]] = {
    "plan": ("plans/0.json", lambda place: read_plan(place, PlanRef(0, "0" * 64)), 64),
    "newest plan": ("plans/0.json", newest_plan, 64),
    "report": ("plans/0.json", read_report, 64),
    "entry of a log": ("commits/0/0-3/00000001.json", lambda place: read_states(place, planned(3)), 64),
    "job": ("none", lambda place: read_job(place, planned(3)), 1),
    "chunk list": (LISTED.name, lambda place: list(place.chunks(LISTED)), 64),
    "lines of a pack": (LISTED.name, lambda place: place.chunks_of(LISTED, 0), 64),
    "decided output": ("publish/0.json", lambda place: _records(place).makings(), 256),
    "list of the output": ("output/0.json", lambda place: _records(place).listing(0), 256),
    "code": (f"code/{'0' * 64}.tar", _code, 1),
}
"""By what is read: its object, its reader, and how many MiB of it the reader may hold."""


@pytest.mark.parametrize("what", READERS)
def test_what_never_ends_is_named_and_not_held(place: Workspace, tmp_path: Path, what: str) -> None:
    name, read, held_mib = READERS[what]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, HOLE_BYTES)
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError, match=re.escape(place.uri(name))) as refused:
            read(place)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(refused.value)
    assert peak < (held_mib + 8) * MIB
    copies = [file.stat().st_size for file in tmp_path.rglob("*") if file.is_file() and file != path]
    assert sum(copies) < 600 * MIB  # What is fetched to be unpacked: the most that a block's code may be.


def test_a_list_of_an_earlier_output_that_never_ends_is_no_list(
    place: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "earlier.json"
    path.touch()
    os.truncate(path, HOLE_BYTES)
    assert EarlierOutput.read(place.store, path.as_uri()).files == {}
    assert "has more than 256 MiB" in caplog.text
    path.write_bytes(b"[" * 100_000)
    assert EarlierOutput.read(place.store, path.as_uri()).files == {}


def test_lines_of_any_length_up_to_the_bound_are_read(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they were written, wherever the blocks of the stream end; and none is written that could not be read."""
    monkeypatch.setattr(workspace, "MOST_LINE_BYTES", 3 * MIB)
    monkeypatch.setattr("triptych.stages.chunk_list.MOST_LINE_BYTES", 3 * MIB)
    texts = ["", "x" * (MIB - 160), "y" * (5 * MIB // 2), "z"]
    chunks = [Chunk.of_bytes(b"", metadata={"text": text, "source_index": 0}) for text in texts]
    store = ChunkStore(place, [], "tried@1.0", tmp_path, "t")
    stored = store.entries(chunks, UploadLimits(1, MIB))
    listed = write_chunk_list(stored, place, "t", tmp_path, lambda sizes: packs(len(sizes), 99))
    assert [entry.metadata["text"] for entry in place.chunks(listed.file)] == texts
    long = store.entries([Chunk.of_bytes(b"", metadata={"text": "x" * 3 * MIB})], UploadLimits(1, MIB))
    with pytest.raises(EngineError, match=r"Chunk 0: its prefix, ranges and metadata take 3 MiB .* Yield it as data"):
        write_chunk_list(long, place, "u", tmp_path, lambda sizes: [])


def test_no_log_and_no_list_is_written_that_could_not_be_read(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_log, "SMALL_BYTES", 4096)
    plan = planned(100)
    log = PackLog(place, plan, plan.packs[0])
    log.append([tried(0, "a")])
    with pytest.raises(EngineError, match=r"The log of chunks 0 to 99 would be .*config\.chunksPerTask"):
        log.append([tried(number, "a", number) for number in range(1, 50)])
    assert len(list((tmp_path / "commits").rglob("*.json"))) == 1
    monkeypatch.setattr(publishing, "LIST_BYTES", 200)
    making = Making(0, "t", Used(0, {}), place.root, (), (), (), {"name": "x" * 100})
    with pytest.raises(EngineError, match="Use an assembler that joins them"):
        _records(place).decide(making)
    assert not (tmp_path / "publish").exists()
