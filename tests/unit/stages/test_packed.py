"""Small results that lie together: each object is fetched once, every file has its bytes, a wrong one is told."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from triptych.errors import IntegrityError
from triptych.jobs.pack_log import ResultFile
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.stages.packed import PackedResults
from triptych.stages.results import ResultObject
from triptych.storage.files import FileStore


class CountingFiles(FileStore):
    """Files; `read` has the last part of each URI that was read."""

    def __init__(self, root: Path) -> None:
        super().__init__([root])
        self.read_names: list[str] = []

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        self.read_names.append(uri.rpartition("/")[2])
        yield from super().stream(uri, offset, length, etag)


def _packed(folder: Path, objects: int, per_object: int) -> tuple[Workspace, CountingFiles, dict[ResultFile, bytes]]:
    """Files of random bytes, some empty, in objects `o0`, `o1` ..., each behind some bytes that are nobody's."""
    draw, files = random.Random(objects), dict[ResultFile, bytes]()
    for number in range(objects):
        data = draw.randbytes(draw.randrange(20))
        for name in range(per_object):
            own = draw.randbytes(draw.randrange(50))
            file = ResultFile(f"f{name}", len(own), hashlib.sha256(own).hexdigest(), f"o{number}", len(data))
            files[file], data = own, data + own
        (folder / f"o{number}").write_bytes(data)
    store = CountingFiles(folder)
    return Workspace(store, folder.as_uri()), store, files


def _results(
    workspace: Workspace, packed: PackedResults, files: dict[ResultFile, bytes], folder: Path
) -> list[ResultObject]:
    return [
        ResultObject(workspace, packed, ChunkEntry(n, "c", 0), file, f"flat-{n}", folder)
        for n, file in enumerate(files)
    ]


def test_in_order_each_object_is_fetched_once(tmp_path: Path) -> None:
    workspace, store, files = _packed(tmp_path, 40, 5)
    (tmp_path / "scratch").mkdir()
    with closing(PackedResults(workspace, list(files), tmp_path / "scratch", ahead=3)) as packed:
        results = _results(workspace, packed, files, tmp_path / "scratch")
        assert [b"".join(result.stream()) for result in results] == list(files.values())
    assert sorted(store.read_names) == sorted(f"o{n}" for n in range(40))


def test_in_any_order_with_room_for_little_all_are_right(tmp_path: Path) -> None:
    workspace, _, files = _packed(tmp_path, 12, 4)
    (tmp_path / "scratch").mkdir()
    with closing(PackedResults(workspace, list(files), tmp_path / "scratch", ahead=2, kept=300)) as packed:
        results = dict(zip(_results(workspace, packed, files, tmp_path / "scratch"), files.values(), strict=True))
        for result in random.Random(4).choices(list(results), k=200):
            with result.open() as data:
                assert data.seek(result.size // 2) == result.size // 2
                assert data.read() == results[result][result.size // 2 :]
            assert b"".join(result.stream()) == results[result]
    kept = sum(path.stat().st_size for path in (tmp_path / "scratch").glob("packed-*"))
    assert kept <= 2 * 300 + 300


def test_a_changed_byte_is_told_with_the_file(tmp_path: Path) -> None:
    workspace, _, files = _packed(tmp_path, 1, 3)
    (tmp_path / "scratch").mkdir()
    path, file = tmp_path / "o0", next(file for file in files if file.size)
    data = bytearray(path.read_bytes())
    data[file.offset or 0] ^= 1
    path.write_bytes(data)
    with closing(PackedResults(workspace, list(files), tmp_path / "scratch")) as packed:
        (result, *_) = [each for each in _results(workspace, packed, files, tmp_path) if each.name == file.name]
        with pytest.raises(IntegrityError, match=f"'{file.name}'"):
            b"".join(result.stream())
