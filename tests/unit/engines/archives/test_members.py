"""Tars that somebody else wrote: damaged ones, and names that climb."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.archives.members import read_tar, relative_path, tar_of
from triptych.errors import SourceError

TAR = MemoryInput(name="a.tar")


def _tar() -> bytes:
    return b"".join(tar_of((f"{n}.txt", 600, [b"x" * 300, b"y" * 300]) for n in range(4)))


def test_what_is_written_is_read() -> None:
    found = [(member.name, member.data.read()) for member in read_tar(TAR, io.BytesIO(_tar()))]
    assert found == [(f"{n}.txt", b"x" * 300 + b"y" * 300) for n in range(4)]


@pytest.mark.parametrize("damage", ["header", "cut at a header", "cut in a file"])
def test_a_damaged_archive_does_not_end_early(damage: str) -> None:
    data = bytearray(_tar())
    third = 2 * (512 + 1024)
    if damage == "header":
        data[third : third + 200] = b"?" * 200
    else:
        del data[third + (700 if damage == "cut in a file" else 0) :]
    with pytest.raises(SourceError, match=r"a\.tar: cannot be read as a tar archive"):
        [member.data.read() for member in read_tar(TAR, io.BytesIO(bytes(data)))]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../x", tarfile.REGTYPE), ("/etc/x", tarfile.REGTYPE), ("c:/x", tarfile.REGTYPE), ("x", tarfile.SYMTYPE)],
)
def test_names_that_climb_and_links_are_refused(name: str, kind: bytes) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry, io.BytesIO())
    data.seek(0)
    with pytest.raises(SourceError, match="refused"):
        list(read_tar(TAR, data))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("./a//b", "a/b"), ("a\\b", "a/b"), ("a/../b", None), ("/a", None), ("c:\\a", None), ("", None), ("a\0b", None)],
)
def test_a_relative_path_stays_in_its_folder(name: str, expected: str | None) -> None:
    assert relative_path(name) == expected
