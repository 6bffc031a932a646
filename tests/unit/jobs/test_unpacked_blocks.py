"""A tar of a block's folder, packed by anybody: what is taken of it, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from triptych.blocks import tar_limits
from triptych.errors import IntegrityError, ManifestError
from triptych.jobs.code import thaw_code, unpack_block

MANIFEST = json.dumps({"name": "tried", "version": "1.0", "platform_config": {"container": "python:3.11"}}).encode()
FILES = {"manifest.json": MANIFEST, "app/main.py": b"pass", "app/lib/more.py": b"1"}
LINK = tarfile.SYMTYPE


def _tar(path: Path, *members: tuple[str, bytes, bytes, str], format_: int = tarfile.GNU_FORMAT) -> Path:
    """Of (name, data, type, link) each."""
    with tarfile.open(path, "w", format=format_) as tar:
        for name, data, kind, link in members:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            tar.addfile(info, io.BytesIO(data))
    return path


def _files(before: str = "", more: Mapping[str, bytes] = MappingProxyType({})) -> list[tuple[str, bytes, bytes, str]]:
    return [(before + name, data, tarfile.REGTYPE, "") for name, data in {**FILES, **more}.items()]


def _below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("before", ["", "./", "tried/", "./tried/"])
@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_of_a_folder_somebody_packed_the_code_is_taken(tmp_path: Path, before: str, format_: int) -> None:
    beside = {"template.json": b"{}", "test/sample.txt": b"a", ".git/config": b"x", "app/__pycache__/m.pyc": b"y"}
    unpack_block(_tar(tmp_path / "a.tar", *_files(before, beside), format_=format_), tmp_path / "out")
    assert _below(tmp_path / "out") == set(FILES)
    assert (tmp_path / "out" / "app" / "lib" / "more.py").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("app/../../out", tarfile.REGTYPE, ""),
        ("app/out", LINK, "/etc/passwd"),
        ("app/out", LINK, "../manifest.json"),
        ("app/lib/out", LINK, "../.."),
        ("app/out", tarfile.LNKTYPE, "app/main.py"),
        ("app/out", tarfile.LNKTYPE, "/etc/passwd"),
        ("app/out", tarfile.FIFOTYPE, ""),
        ("app/out", tarfile.CHRTYPE, ""),
        ("app/main.py", tarfile.REGTYPE, ""),
        ("app/main.py/below", tarfile.REGTYPE, ""),
    ],
)
def test_what_leads_elsewhere_is_refused(tmp_path: Path, name: str, kind: bytes, link: str) -> None:
    (tmp_path / "scratch").mkdir()
    with pytest.raises(ManifestError, match=r"^The archive cannot be used: "):
        unpack_block(_tar(tmp_path / "bad.tar", *_files(), (name, b"", kind, link)), tmp_path / "scratch" / "here")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar", "scratch"]
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["here"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    through = [("app/away", b"", LINK, "../../victim"), ("app/away/file", b"evil", tarfile.REGTYPE, "")]
    inside = [("app/near", b"", LINK, "lib"), ("app/near/more.py", b"evil", tarfile.REGTYPE, "")]
    for members in (through, inside):
        with pytest.raises(ManifestError):
            unpack_block(_tar(tmp_path / "bad.tar", *_files(), *members), tmp_path / "here")
    assert list((tmp_path / "victim").iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, gzip.compress(b"x" * 10_000)])
def test_what_is_no_tar_is_refused_in_words(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(ManifestError, match=r"The archive cannot be used: .* Push a tar, not compressed"):
        unpack_block(tmp_path / "a.tar", tmp_path / "out")


def test_a_tar_of_many_names_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_limits, "MOST_MEMBERS", 20)
    many = [(f"other/{number}", b"", tarfile.REGTYPE, "") for number in range(18)]
    with pytest.raises(ManifestError, match="more than 20 files and folders"):
        unpack_block(_tar(tmp_path / "a.tar", *_files(), *many), tmp_path / "out")
    folder = [(name, b"", tarfile.DIRTYPE, "") for name in ("app", "app/lib")]
    with pytest.raises(IntegrityError, match="more than 20 files and folders"):
        thaw_code(_tar(tmp_path / "b.tar", *folder, *_files(more={f"app/{n}": b"" for n in range(18)})), tmp_path / "o")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    """It says that a name of 1 GiB follows; what follows is a hole."""
    info = tarfile.TarInfo("app/long")
    info.type, info.size = kind, 1 << 30
    sound = _tar(tmp_path / "a.tar", *_files()).read_bytes().rstrip(b"\0")
    at = -len(sound) % 512
    with (tmp_path / "a.tar").open("wb") as out:
        out.write(sound + b"\0" * at + info.tobuf(tarfile.GNU_FORMAT))
        out.truncate(out.tell() + (1 << 30) + 1024)
    with pytest.raises(ManifestError, match=r"a header of 1,073,741,824 bytes"):
        unpack_block(tmp_path / "a.tar", tmp_path / "out")
