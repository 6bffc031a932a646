"""Folders as tar streams, in and out of a container that is not trusted."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from triptych.errors import ChunkError, ContainerError
from triptych.free_space import free_bytes
from triptych.running.result_files import ResultLimits
from triptych.running.sharing.archive import get_folder, put_folders

PLENTY = ResultLimits(files=100, bytes=1 << 30)
OUT = PurePosixPath("/triptych/work/0/out")


class Engine:
    """The two calls of Docker's archive API; what is asked for is `packed`, in blocks of a few bytes."""

    def __init__(self, packed: bytes = b"", block_bytes: int = 700) -> None:
        self.packed, self.block_bytes = packed, block_bytes

    def put_archive(self, container: str, path: str, data: Any) -> bool:
        assert (container, path) == ("box", "/triptych")
        self.packed = data.read()
        return True

    def get_archive(self, container: str, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        starts = range(0, len(self.packed), self.block_bytes)
        return (self.packed[start : start + self.block_bytes] for start in starts), {"name": path}


def _tar(*members: tuple[str, bytes], **special: Any) -> bytes:
    """Files by name, and, where `special` is given, one member more with these attributes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        if special:
            info = tarfile.TarInfo(special.pop("name"))
            for key, value in special.items():
                setattr(info, key, value)
            tar.addfile(info)
    return out.getvalue()


def _get(packed: bytes, folder: Path, limits: ResultLimits = PLENTY) -> dict[str, bytes]:
    client: Any = Engine(packed)
    get_folder(client, "box", OUT, folder, limits)
    return _files(folder)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    folder = tmp_path / "attempt" / "out"
    folder.mkdir(parents=True)
    return folder


def test_a_folder_goes_in_and_comes_out_as_it_was(tmp_path: Path, inside: Path) -> None:
    given = tmp_path / "attempt" / "in"
    (given / "deep").mkdir(parents=True)
    (given / "data.bin").write_bytes(bytes(range(256)) * 50)
    (given / "deep" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (given / "deep" / "run.sh").chmod(0o4777)
    (given / "deep").chmod(0o777)
    engine: Any = Engine()
    put_folders(engine, "box", PurePosixPath("/triptych"), {OUT: given}, [OUT], given.parent)
    with tarfile.open(fileobj=io.BytesIO(engine.packed)) as tar:
        modes = {member.name: oct(member.mode) for member in tar}
        assert {(member.uid, member.gid, member.uname, member.gname) for member in tar} == {(0, 0, "", "")}
    # Nobody but its owner, root, may write to what is in there; nobody becomes root by it.
    assert modes == {
        "work/0/out": "0o777",
        "work/0/out/data.bin": "0o644",
        "work/0/out/deep": "0o755",
        "work/0/out/deep/run.sh": "0o755",
    }
    # An engine names members after the last part of what was asked for.
    renamed = [(f"out/{name}", data) for name, data in _files(given).items()]
    assert _get(_tar(*renamed), inside) == _files(given)
    assert {path.name for path in given.parent.iterdir()} == {"in", "out"}


@pytest.mark.parametrize("block_bytes", [1, 511, 512, 10_000])
def test_blocks_may_end_anywhere(inside: Path, block_bytes: int) -> None:
    client: Any = Engine(_tar(("out/a", b"x" * 1000), ("out/b/c", b"")), block_bytes)
    get_folder(client, "box", OUT, inside, PLENTY)
    assert _files(inside) == {"a": b"x" * 1000, "b/c": b""}


@pytest.mark.parametrize(
    ("special", "says"),
    [
        ({"name": "out/l", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "'l' is a link"),
        ({"name": "out/l", "type": tarfile.LNKTYPE, "linkname": "out/a"}, "'l' is a link"),
        ({"name": "out/p", "type": tarfile.FIFOTYPE}, "'p' is no regular file"),
        ({"name": "out/d", "type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, "'d' is no regular file"),
        ({"name": "out/../../../escaped", "type": tarfile.DIRTYPE}, "leads out of its folder"),
        ({"name": "out/../../../escaped"}, "leads out of its folder"),
    ],
)
def test_what_is_no_plain_file_inside_is_refused(
    tmp_path: Path, inside: Path, special: dict[str, Any], says: str
) -> None:
    with pytest.raises(ChunkError, match=says):
        _get(_tar(("out/a", b"kept"), **special), inside)
    assert [path.name for path in tmp_path.iterdir()] == ["attempt"]
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_an_absolute_name_stays_inside(tmp_path: Path, inside: Path) -> None:
    """Its first part goes like any other's, and what is left is relative."""
    target = tmp_path / "escaped"
    found = _get(_tar((str(target), b"x")), inside)
    assert not target.exists()
    assert list(found.values()) == [b"x"]


def test_as_much_as_the_limits_is_taken(inside: Path) -> None:
    three = [(f"out/{n}", b"12345") for n in range(3)]
    assert len(_get(_tar(*three), inside, ResultLimits(3, 15))) == 3


@pytest.mark.parametrize("limits", [ResultLimits(2, 1 << 30), ResultLimits(100, 14)])
def test_one_file_or_byte_too_many_is_refused(inside: Path, limits: ResultLimits) -> None:
    with pytest.raises(ChunkError, match=f"more than {limits.files} files or"):
        _get(_tar(*[(f"out/{n}", b"12345") for n in range(3)]), inside, limits)


def test_a_stream_that_breaks_off_is_an_error(inside: Path) -> None:
    whole = _tar(("out/a", b"x" * 5000))
    with pytest.raises(ContainerError, match="no whole archive"):
        _get(whole[:2000], inside)


def test_an_empty_answer_is_no_folder(inside: Path) -> None:
    with pytest.raises(ContainerError, match="no whole archive"):
        _get(b"", inside)


def test_depth_and_length_of_names_are_limited_while_they_are_read(inside: Path) -> None:
    deep = ("out/" + "d/" * 1500, tarfile.DIRTYPE)
    for name in (deep[0], f"out/{'d/' * 1500}file", "out/" + "/".join(["x" * 250] * 5)):
        with pytest.raises(ChunkError, match=r"more than 100 folders|longer than 1024 bytes"):
            _get(_tar((name, b"")), inside)
    with pytest.raises(ChunkError, match="more than 0 folders"):
        _get(_tar(name="out/f", type=tarfile.DIRTYPE), inside, ResultLimits(0, 0))


def test_a_result_that_would_fill_the_disk_is_not_written(inside: Path) -> None:
    reserved = replace(PLENTY, bytes=1 << 40, reserve_bytes=free_bytes(inside.parent) - (1 << 30))
    with pytest.raises(ChunkError, match=r"the result 'large' has 2048\.0 MiB, and .* stay free"):
        _get(_tar(name="out/large", size=2 << 30), inside, reserved)
    assert _files(inside) == {}
