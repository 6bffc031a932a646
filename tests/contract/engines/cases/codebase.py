"""codebase, both the partitioner and the assembler."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.contract.engines.cases import Join, Split
from tests.support.engine_harness import Piece, Results


def _sources_of_code(folder: Path) -> list[Path]:
    paths = [folder / name for name in ("a.py", "b.py", "c.rs")]
    for path in paths:
        path.write_text(f"# {path.name}\n")
    return paths


def _one_source_of_code(folder: Path) -> list[Path]:
    return _sources_of_code(folder)[:1]


def _each_source(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert {piece.metadata["path"]: piece.data for piece in pieces} == {p.name: p.read_bytes() for p in sources}
    assert len(pieces) == len(sources)
    assert not any(piece.copied for piece in pieces)


def write_zip(folder: Path) -> list[Path]:
    path = folder / "tree.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b/x.py", "a/y.py", "top.md", "a/deep/z.py", "a/ü 1.py"):
            archive.writestr(name, f"# {name}\n" * 50)
    return [path]


def _zip_of_one(folder: Path) -> list[Path]:
    path = folder / "one.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b.py", "# one\n")
    return [path]


def _each_member(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found: dict[str, bytes] = {}
    for piece in pieces:
        with tarfile.open(fileobj=io.BytesIO(piece.data)) as archive:
            mine = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]  # All are files.
        assert list(mine) == piece.metadata["paths"]
        assert not mine.keys() & found.keys()
        found |= mine
    with zipfile.ZipFile(sources[0]) as archive:
        assert found == {name: archive.read(name) for name in archive.namelist()}


def _cut_zip(folder: Path) -> Path:
    (path,) = write_zip(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _large_zip(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.zip"
    noise = random.Random(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(4 * factor):
            archive.writestr(f"d{number}/f.py", noise.randbytes(2 * 1024 * 1024))
    return path


def tar_of(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def _tree_results() -> list[Results]:
    return [
        Results({"output.bin": b"one"}, metadata={"path": "src/one.py", "packed": "no", "files": 1}),
        Results({"any": tar_of({"src/two.py": b"two", "ü/3 x.py": b""})}, metadata={"packed": "tar", "files": 1}),
        Results({"deep/four.txt": b"four", "five.txt": b"five"}),
    ]


TREE = {"src/one.py": b"one", "src/two.py": b"two", "ü/3 x.py": b"", "deep/four.txt": b"four", "five.txt": b"five"}


def _tree_in_folder(found: Mapping[str, bytes]) -> None:
    assert found == TREE


def _tree_in_zip(found: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(found["t.zip"])) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {f"a/b/{n}": d for n, d in TREE.items()}
        assert archive.testzip() is None


def _tree_in_tar(found: Mapping[str, bytes]) -> None:
    with tarfile.open(fileobj=io.BytesIO(found["codebase.tar"])) as archive:
        assert {entry.name: archive.extractfile(entry).read() for entry in archive} == TREE  # type: ignore[union-attr]  # All are files.


def _large_tars(factor: int) -> list[Results]:
    block = random.Random(0).randbytes(2 * 1024 * 1024)
    return [
        Results({"t.tar": tar_of({f"{n}.bin": block})}, metadata={"packed": "tar", "files": 1})
        for n in range(4 * factor)
    ]


def _cut_tar() -> list[Results]:
    return [Results({"t.tar": tar_of({"a.py": b"x" * 5000, "b.py": b"y" * 5000})[:7000]}, name="unit a")]


CASES: list[Split | Join] = [
    Split(
        "codebase",
        {},
        _sources_of_code,
        _each_source,
        bad={"unit": "line"},
        empty="one chunk",
        one=_one_source_of_code,
    ),
    Split(
        "codebase",
        {"unit": "folder"},
        write_zip,
        _each_member,
        bad={"languages": ["klingon"]},
        corrupt=_cut_zip,
        says="cannot be read as a zip",
        grow=_large_zip,
        one=_zip_of_one,
    ),
    Join(
        "codebase",
        {},
        _tree_results,
        _tree_in_folder,
        bad={"on_conflict": "ask"},
        corrupt=_cut_tar,
        says="chunk 0, 't.tar': cannot be read as a tar",
        grow=_large_tars,
    ),
    Join("codebase", {"format": "zip", "name": "t.zip", "root": "a/b"}, _tree_results, _tree_in_zip, bad={"name": ""}),
    Join("codebase", {"format": "tar"}, _tree_results, _tree_in_tar, bad={"root": ""}, grow=_large_tars),
]
