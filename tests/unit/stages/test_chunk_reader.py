"""Ranges of a pack: what lies side by side is read by one request, and every chunk has its own bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from triptych.errors import IntegrityError, SourceError
from triptych.jobs.sources import SourceEntry
from triptych.jobs.workspace import ByteRange, ChunkEntry, Workspace
from triptych.settings import read_settings
from triptych.stages.chunk_reader import ChunkReader
from triptych.storage import Store, Stores
from triptych.storage.files import FileStore

DATA = random.Random(5).randbytes(1000)


class CountingFiles(FileStore):
    """Files; `asked` has the offset and length of each read."""

    def __init__(self, root: Path) -> None:
        super().__init__([root])
        self.asked: list[tuple[int, int | None]] = []

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        self.asked.append((offset, length))
        yield from super().stream(uri, offset, length, etag)


def _reader(folder: Path, chunks: list[ChunkEntry], window_bytes: int) -> tuple[ChunkReader, CountingFiles]:
    store = CountingFiles(folder)
    sources = []
    for name in ("a", "b"):
        (folder / name).write_bytes(DATA)
        info = store.stat((folder / name).as_uri())
        sources.append(SourceEntry(info.uri, None, info.size, info.etag))

    def only(*_: object) -> Store:
        return store

    stores = Stores(read_settings({}), {"file": only})
    workspace = Workspace(store, f"{folder.as_uri()}/w")
    return ChunkReader(workspace, sources, stores, chunks, window_bytes), store


def _chunk(number: int, *ranges: tuple[int, int, int]) -> ChunkEntry:
    runs = tuple(ByteRange(*run) for run in ranges)
    return ChunkEntry(number, "c", sum(run.length for run in runs), ranges=runs)


def _read(reader: ChunkReader, chunk: ChunkEntry) -> bytes:
    return b"".join(reader.blocks(chunk))


def test_neighbours_share_a_read(tmp_path: Path) -> None:
    chunks = [_chunk(n, (0, 10 * n, 10)) for n in range(10)]
    reader, store = _reader(tmp_path, chunks, 45)
    assert [_read(reader, chunk) for chunk in chunks] == [DATA[10 * n : 10 * n + 10] for n in range(10)]
    assert store.asked == [(0, 40), (40, 40), (80, 20)]


@pytest.mark.parametrize(
    ("ranges", "asked"),
    [
        ([(0, 0, 10), (0, 20, 10)], [(0, 10), (20, 10)]),  # A gap.
        ([(0, 0, 10), (1, 10, 10)], [(0, 10), (10, 10)]),  # Of another source.
        ([(0, 0, 10), (0, 0, 10)], [(0, 10), (0, 10)]),  # The same again.
        ([(0, 0, 100), (0, 100, 10)], [(0, 100), (100, 10)]),  # The first alone is beyond the window.
        ([(0, 0, 10), (0, 10, 0), (0, 10, 10)], [(0, 20)]),  # An empty one between.
    ],
)
def test_what_is_no_neighbour_is_read_alone(
    tmp_path: Path, ranges: list[tuple[int, int, int]], asked: list[tuple[int, int]]
) -> None:
    chunks = [_chunk(n, run) for n, run in enumerate(ranges)]
    reader, store = _reader(tmp_path, chunks, 45)
    assert [_read(reader, chunk) for chunk in chunks] == [DATA[run[1] : run[1] + run[2]] for run in ranges]
    assert store.asked == asked


def test_any_chunks_in_any_order_have_their_own_bytes(tmp_path: Path) -> None:
    draw = random.Random(9)
    for _ in range(60):
        chunks, offset = [], 0
        for number in range(draw.randrange(1, 30)):
            offset = (offset if draw.random() < 0.7 else draw.randrange(800)) % 900
            length = draw.randrange(0, 60)
            chunks.append(_chunk(number, (draw.randrange(2), offset, length), (0, 5, draw.randrange(9))))
            offset += length
        reader, _ = _reader(tmp_path, chunks, draw.choice([1, 40, 200, 5000]))
        order = chunks + draw.sample(chunks, len(chunks))
        for chunk in order:
            expected = b"".join(DATA[run.offset : run.offset + run.length] for run in chunk.ranges or ())
            assert _read(reader, chunk) == expected


def test_a_source_that_changed_or_got_shorter_is_noticed_in_a_window(tmp_path: Path) -> None:
    chunks = [_chunk(n, (0, 10 * n, 10)) for n in range(4)]
    reader, _ = _reader(tmp_path, chunks, 1000)
    (tmp_path / "a").write_bytes(DATA[:15])
    with pytest.raises(SourceError, match="changed after the job started"):
        _read(reader, chunks[0])
    beyond = [_chunk(0, (1, 990, 10)), _chunk(1, (1, 1000, 10))]
    reader, _ = _reader(tmp_path, beyond, 1000)
    assert _read(reader, beyond[0]) == DATA[990:]
    with pytest.raises(IntegrityError, match="chunk 1"):
        _read(reader, beyond[1])
