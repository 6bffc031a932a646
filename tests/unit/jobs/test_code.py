"""A block's code is frozen to the same bytes everywhere, and thawed to the same tree, whatever a tree holds."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.rights import reading_only_what_modes_allow
from triptych.blocks import Block
from triptych.blocks.manifest import read_block
from triptych.errors import IntegrityError, ManifestError
from triptych.jobs import code
from triptych.jobs.code import freeze_code, thaw_code

MANIFEST = {"name": "tried", "version": "1.0", "platform_config": {"container": "python:3.11-slim"}}
SCHEMA = {"type": "object", "properties": {"case": {"type": "string", "default": "upper"}}}
LONG = "n" * 150
LINK = tarfile.SYMTYPE


def _write(folder: Path) -> Block:
    """A tree with what is awkward: modes, order, an empty folder, names long and not UTF-8, links, caches."""
    app = folder / "app"
    (app / "lib" / "empty").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    (folder / "template.json").write_text("{}")
    for name in ("main.py", "B", "a", "lib.txt", "lib/helper.py", f"lib/{LONG}", "lib/grüße"):
        (app / name).write_text(f"of {name}")
    (app / os.fsdecode(b"lib/\xff\xfe")).write_text("latin")
    (app / "main.py").chmod(0o755)
    (app / "lib" / "helper.py").chmod(0o444)
    (app / "a").chmod(0o600)
    (app / "lib").chmod(0o555)
    (app / "lib").chmod(0o755)
    (app / "up").symlink_to("lib/helper.py")
    (app / "lib" / "back").symlink_to("../main.py")
    (app / "whole").symlink_to("lib")
    return _block(folder)


def _block(folder: Path) -> Block:
    block, errors, _ = read_block(folder / "manifest.json")
    assert block is not None, errors
    return block


def _tree(folder: Path) -> dict[str, tuple[int, str | bytes]]:
    """Every path below, with its mode and what it holds."""
    held: dict[str, tuple[int, str | bytes]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        is_link = path.is_symlink()
        content = str(path.readlink()) if is_link else b"" if path.is_dir() else path.read_bytes()
        held[str(path.relative_to(folder))] = (mode, content)
    return held


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def _member(name: str, type_: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type_, linkname, 0o755
    return info


def test_what_comes_back_is_the_tree_and_the_block(tmp_path: Path) -> None:
    block = _write(tmp_path / "there")
    freeze_code(block, tmp_path / "code.tar")
    thawed = thaw_code(tmp_path / "code.tar", tmp_path / "here")
    before = _tree(tmp_path / "there")
    del before["template.json"]
    assert _tree(tmp_path / "here") == before
    assert thawed == replace(block, folder=tmp_path / "here")
    assert thawed.schema == SCHEMA


def test_the_tar_is_what_gnu_tar_makes_of_the_tree(tmp_path: Path) -> None:
    """One format, written by two programs: no version of Python, and no machine, makes another."""
    block = _write(tmp_path / "there")
    (block.code / "lib" / LONG).unlink()  # Of the record that holds a long name, they write the mode differently.
    digest = freeze_code(block, tmp_path / "code.tar")
    names = [path.relative_to(block.folder) for path in block.code.rglob("*")]
    ordered = [b"manifest.json", b"schema.json", b"app", *sorted(map(os.fsencode, names))]
    command = ["tar", "-cf", "-", "--format=gnu", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]
    made = subprocess.run(
        [*command, "--no-recursion", "--null", "--verbatim-files-from", "--files-from=-"],
        input=b"\0".join(ordered),
        cwd=tmp_path / "there",
        capture_output=True,
        check=True,
    ).stdout
    assert (tmp_path / "code.tar").read_bytes() == made
    assert digest == hashlib.sha256(made).hexdigest()


def test_times_owners_and_order_of_making_change_nothing(tmp_path: Path) -> None:
    block = _write(tmp_path / "there")
    other = tmp_path / "other"
    shutil.copytree(block.folder, other, symlinks=True)
    for path in (*other.rglob("*"), other):
        if not path.is_symlink():
            os.utime(path, (1, 1))
            if os.geteuid() == 0:
                os.chown(path, 1234, 1234)
    # A fresh folder lists its names in the order in which they were made.
    (other / "app" / "B").rename(other / "moved")
    (other / "moved").rename(other / "app" / "B")
    assert freeze_code(_block(other), tmp_path / "1") == freeze_code(block, tmp_path / "0")


@pytest.mark.parametrize(
    "edit",
    [
        lambda app: (app / "main.py").write_text("other"),
        lambda app: (app / "main.py").chmod(0o700),
        lambda app: (app / "a").rename(app / "c"),
        lambda app: (app / "none").mkdir(),
        lambda app: (app.parent / "schema.json").write_text("{}"),
        lambda app: (app.parent / "manifest.json").write_text(json.dumps({**MANIFEST, "retries": 1})),
    ],
)
def test_each_edit_is_other_code(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    block = _write(tmp_path / "there")
    before = freeze_code(block, tmp_path / "0")
    edit(block.code)
    assert freeze_code(block, tmp_path / "1") != before


def test_what_python_caches_is_no_code(tmp_path: Path) -> None:
    block = _write(tmp_path / "there")
    before = freeze_code(block, tmp_path / "0")
    (block.code / "lib" / "__pycache__").mkdir()
    (block.code / "lib" / "__pycache__" / "helper.cpython-311.pyc").write_bytes(b"compiled")
    assert freeze_code(block, tmp_path / "1") == before


def test_a_frozen_block_freezes_to_the_same_bytes_again(tmp_path: Path) -> None:
    before = freeze_code(_write(tmp_path / "there"), tmp_path / "0")
    assert freeze_code(thaw_code(tmp_path / "0", tmp_path / "here"), tmp_path / "1") == before


def test_an_absolute_link_inside_leads_to_the_copy(tmp_path: Path) -> None:
    """Also through a folder that is a link itself, as Kubernetes mounts files."""
    block = _write(tmp_path / "there")
    (block.code / "absolute").symlink_to(block.code / "lib" / "helper.py")
    (block.code / "lib" / "roundabout").symlink_to("../whole/../main.py")
    freeze_code(block, tmp_path / "code.tar")
    thawed = thaw_code(tmp_path / "code.tar", tmp_path / "here")
    shutil.rmtree(block.folder)
    assert (thawed.code / "absolute").readlink() == Path("lib/helper.py")
    assert (thawed.code / "absolute").read_text() == "of lib/helper.py"
    assert (thawed.code / "lib" / "roundabout").read_text() == "of main.py"


def test_a_block_may_lie_elsewhere_by_links(tmp_path: Path) -> None:
    block = _write(tmp_path / "there")
    before = freeze_code(block, tmp_path / "0")
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("manifest.json", "schema.json", "app"):
        (linked / name).symlink_to(block.folder / name)
    assert freeze_code(_block(linked), tmp_path / "1") == before


@pytest.mark.parametrize("target", ["../secret", "/etc/hostname", "lib/../../secret", "../app2", "..", "../none"])
def test_a_link_that_leads_out_is_named(tmp_path: Path, target: str) -> None:
    block = _write(tmp_path / "there")
    (block.folder / "secret").write_text("not to be copied")
    (block.folder / "app2").mkdir()
    (block.code / "lib" / "out").symlink_to(f"../{target}" if not target.startswith("/") else target)
    with pytest.raises(ManifestError, match=r"^tried@1\.0: 'app/lib/out': is a link that leads out of app/, to /"):
        freeze_code(block, tmp_path / "code.tar")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # The whole path may be longer than a socket's may be.


@pytest.mark.parametrize("make", [_pipe, _socket])
def test_special_files_are_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    block = _write(tmp_path / "there")
    make(block.code / "lib" / "odd")
    with pytest.raises(ManifestError, match=r"^tried@1\.0: 'app/lib/odd': is neither a file, a folder nor a link\."):
        freeze_code(block, tmp_path / "code.tar")


@pytest.mark.parametrize("name", ["lib", "lib/helper.py"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    block = _write(tmp_path / "there")
    (block.code / name).chmod(0)
    message = rf"^tried@1\.0: 'app/{name}': cannot be read: Permission denied\."
    with reading_only_what_modes_allow(), pytest.raises(ManifestError, match=message):
        freeze_code(block, tmp_path / "code.tar")


def test_code_that_is_too_large_says_where_data_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MOST_BYTES", 3 << 20)
    block = _write(tmp_path / "there")
    with (block.code / "model.bin").open("wb") as out:
        out.truncate((3 << 20) - 40_000)
    freeze_code(block, tmp_path / "code.tar")
    os.truncate(block.code / "model.bin", (3 << 20) + 1)
    with pytest.raises(
        ManifestError, match=r"^tried@1\.0: 'app/model\.bin': .* larger than 3 MiB: put large data into"
    ):
        freeze_code(block, tmp_path / "code.tar")


def test_a_link_that_leads_nowhere_inside_is_kept(tmp_path: Path) -> None:
    """As editors leave them beside an open file, and one that leads to itself."""
    block = _write(tmp_path / "there")
    (block.code / ".#main.py").symlink_to("user@host.4711:1")
    (block.code / "itself").symlink_to("itself")
    freeze_code(block, tmp_path / "code.tar")
    thawed = thaw_code(tmp_path / "code.tar", tmp_path / "here")
    assert (thawed.code / ".#main.py").readlink() == Path("user@host.4711:1")
    assert (thawed.code / "itself").is_symlink()


@pytest.mark.parametrize(
    "member",
    [
        _member("../out"),
        _member("/tmp/out"),
        _member("app/../../out"),
        _member("other"),
        _member("app/out", LINK, "/etc/passwd"),
        _member("app/out", LINK, "../manifest.json"),
        _member("app/lib/out", LINK, "../.."),
        _member("app/out", LINK, "lib/../.."),
        _member("app/out", tarfile.LNKTYPE, "app/main.py"),
        _member("app/out", tarfile.FIFOTYPE),
        _member("app/out", tarfile.CHRTYPE),
        _member("app/main.py"),
        _member("app/none/out"),
    ],
)
def test_a_tar_that_is_none_of_ours_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    folders = [(_member(name, tarfile.DIRTYPE), b"") for name in ("app", "app/lib")]
    files = [(_member("manifest.json"), json.dumps(MANIFEST).encode()), (_member("app/main.py"), b"pass")]
    thaw_code(_tar(tmp_path / "sound.tar", *folders, *files), tmp_path / "sound")
    with pytest.raises(IntegrityError, match=r"^bad\.tar: is no code that was frozen: "):
        thaw_code(_tar(tmp_path / "bad.tar", *folders, *files, (member, b"")), tmp_path / "scratch" / "here")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar", "scratch", "sound", "sound.tar"]
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["here"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    members = [
        (_member("app", tarfile.DIRTYPE), b""),
        (_member("app/lib", LINK, "main"), b""),
        (_member("app/lib/out"), b"through"),
    ]
    with pytest.raises(IntegrityError, match=r"^bad\.tar: "):
        thaw_code(_tar(tmp_path / "bad.tar", *members), tmp_path / "here")
    assert list((tmp_path / "here").rglob("*")) == [tmp_path / "here" / "app"]


@pytest.mark.parametrize("keep", [0, 511, 2000])
def test_half_a_tar_is_refused(tmp_path: Path, keep: int) -> None:
    freeze_code(_write(tmp_path / "there"), tmp_path / "code.tar")
    os.truncate(tmp_path / "code.tar", keep)
    with pytest.raises(IntegrityError, match=r"^code\.tar: "):
        thaw_code(tmp_path / "code.tar", tmp_path / "here")


def test_a_manifest_that_this_version_refuses_is_told_with_the_tar(tmp_path: Path) -> None:
    manifest = json.dumps({**MANIFEST, "type": "splitter"}).encode()
    folders = [(_member("app", tarfile.DIRTYPE), b"")]
    tar = _tar(tmp_path / "new.tar", *folders, (_member("manifest.json"), manifest), (_member("app/main.py"), b""))
    with pytest.raises(IntegrityError, match=re.compile(r"^new\.tar: holds no block .*manifest\.json: \$\.type: ")):
        thaw_code(tar, tmp_path / "here")
