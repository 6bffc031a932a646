"""What a script left in a folder that we share with it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from triptych.errors import ChunkError
from triptych.running.result_files import MOST_FOLDERS_DEEP, ResultLimits, result_files


def test_files_come_by_name_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "empty").mkdir()
    for name, data in (("b/2", b"22"), ("b.txt", b""), ("a", b"1")):
        (tmp_path / name).write_bytes(data)
    found = result_files(tmp_path, ResultLimits(3, 3))
    assert [(file.name, file.size) for file in found] == [("a", 1), ("b.txt", 0), ("b/2", 2)]
    assert [file.path.read_bytes() for file in found] == [b"1", b"", b"22"]
    assert [b"".join(file.blocks()) for file in found] == [b"1", b"", b"22"]


def test_a_link_is_refused_and_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("x", encoding="utf-8")
    for name, target in (("file", secret / "key"), ("folder", secret), ("nowhere", tmp_path / "none")):
        out = tmp_path / f"out-{name}"
        out.mkdir()
        (out / name).symlink_to(target)
        with pytest.raises(ChunkError, match=f"'{name}' is a link, which is refused. Write a copy"):
            result_files(out, None)


def test_a_special_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChunkError, match="'pipe' is no regular file"):
        result_files(tmp_path, None)


@pytest.mark.parametrize("limits", [ResultLimits(1, 100), ResultLimits(100, 9)])
def test_more_than_the_limits_is_refused_with_the_settings(tmp_path: Path, limits: ResultLimits) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"12345")
    with pytest.raises(ChunkError, match=r"\[triptych\] max_result_files or max_result_gib"):
        result_files(tmp_path, limits)
    assert len(result_files(tmp_path, None)) == 2


@pytest.mark.parametrize("turned", ["b/c/file", "b/c", "b"])
def test_a_link_that_comes_later_is_not_followed(tmp_path: Path, turned: str) -> None:
    """As a process of the same user could put one there, at any part of the way."""
    (tmp_path / "out" / "b" / "c").mkdir(parents=True)
    (tmp_path / "out" / "b" / "c" / "file").write_text("ours", encoding="utf-8")
    [found] = result_files(tmp_path / "out", None)
    there = tmp_path / "out" / turned
    there.rename(tmp_path / "moved")
    there.symlink_to(tmp_path / "moved")
    assert found.path.read_text(encoding="utf-8") == "ours"  # A path follows it.
    with pytest.raises(ChunkError, match=rf"'{found.name}' is another than when .*(symbolic link|Not a directory)"):
        found.open()


@pytest.mark.parametrize("turned", ["unit/out", "unit"])
def test_a_link_in_place_of_the_folder_that_comes_later_is_not_followed(tmp_path: Path, turned: str) -> None:
    (tmp_path / "unit" / "out").mkdir(parents=True)
    (tmp_path / "unit" / "out" / "file").write_text("ours")
    [found] = result_files(tmp_path / "unit" / "out", None)
    (tmp_path / turned).rename(tmp_path / "moved")
    (tmp_path / turned).symlink_to(tmp_path / "moved")
    assert found.path.read_text() == "ours"  # A path follows it.
    with pytest.raises(ChunkError, match="'file' is another"):
        found.open()


def test_a_file_that_grows_after_it_was_counted_is_read_no_further(tmp_path: Path) -> None:
    """A file with a hole of 3 GiB takes no disk; who reads it all would take minutes."""
    (tmp_path / "file").write_bytes(b"12345")
    [found] = result_files(tmp_path, ResultLimits(1, 5))
    os.truncate(tmp_path / "file", 3 << 30)
    taken, before = list[int](), _read_bytes()
    with pytest.raises(ChunkError, match="'file' is another than when its script had ended: longer"):
        taken.extend(len(block) for block in found.blocks())
    assert sum(taken) <= 5
    assert _read_bytes() - before < 1 << 16


def _read_bytes() -> int:
    """What this thread has read of files, by the kernel's count."""
    return int(Path("/proc/thread-self/io").read_text().split()[1])


def test_a_file_that_is_cut_after_it_was_counted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    [found] = result_files(tmp_path, None)
    os.truncate(tmp_path / "file", 4)
    with pytest.raises(ChunkError, match="shorter"):
        list(found.blocks())


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_file_that_becomes_something_else_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Nobody writes to the pipe: who opens it to wait for that waits for ever."""
    (tmp_path / "file").write_bytes(b"12345")
    [found] = result_files(tmp_path, None)
    (tmp_path / "file").unlink()
    make(tmp_path / "file")
    with pytest.raises(ChunkError, match="'file' is another"):
        list(found.blocks())


@pytest.mark.parametrize("turned", ["unit/out", "unit"])
def test_the_folder_itself_may_not_be_a_link(tmp_path: Path, turned: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "out").mkdir(parents=True)
    (elsewhere / "out" / "secret").touch()
    (tmp_path / "unit" / "out").mkdir(parents=True)
    (tmp_path / turned).rename(tmp_path / "moved")
    (tmp_path / turned).symlink_to(elsewhere / "out" if turned == "unit/out" else elsewhere)
    with pytest.raises(ChunkError, match="folder of results cannot be read"):
        result_files(tmp_path / "unit" / "out", None)


def test_a_folder_that_was_removed_is_not_an_empty_result(tmp_path: Path) -> None:
    with pytest.raises(ChunkError, match="folder of results cannot be read: No such file"):
        result_files(tmp_path / "gone", None)


def test_depth_and_number_of_folders_are_limited(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.joinpath(*["d"] * MOST_FOLDERS_DEEP).mkdir(parents=True)
    deep.joinpath(*["d"] * MOST_FOLDERS_DEEP, "file").touch()
    assert len(result_files(deep, None)) == 1
    deep.joinpath(*["d"] * (MOST_FOLDERS_DEEP + 2)).mkdir(parents=True)
    with pytest.raises(ChunkError, match=f"more than {MOST_FOLDERS_DEEP} folders"):
        result_files(deep, None)
    for number in range(4):
        (tmp_path / "wide" / str(number)).mkdir(parents=True)
    assert result_files(tmp_path / "wide", ResultLimits(4, 100)) == []
    with pytest.raises(ChunkError, match="more than 3 folders"):
        result_files(tmp_path / "wide", ResultLimits(3, 100))


def test_a_name_is_as_long_as_an_object_store_takes(tmp_path: Path) -> None:
    folder = tmp_path / "out" / ("a" * 255) / ("b" * 255) / ("c" * 255)
    folder.mkdir(parents=True)
    (folder / ("d" * 255)).touch()  # With the slashes 1,023 bytes.
    assert [len(file.name) for file in result_files(tmp_path / "out", None)] == [1023]
    (folder / "e").mkdir()
    (folder / "e" / ("f" * 255)).touch()
    with pytest.raises(ChunkError, match="longer than 1024 bytes"):
        result_files(tmp_path / "out", None)


def test_names_of_any_bytes_are_kept_apart(tmp_path: Path) -> None:
    names = [b"\xff", b"%FF", b"plain", b"new\nline", b"\x01\x02", b"\xff" * 255, b"\xff" * 254 + b"\xfe", b"\xc3\xa9"]
    for number, name in enumerate(names):
        (tmp_path / os.fsdecode(name)).write_text(str(number))
    found = result_files(tmp_path, None)
    assert {int(b"".join(file.blocks())) for file in found} == set(range(len(names)))
    assert len({file.name for file in found}) == len(names)
    for file in found:
        assert file.name.isprintable()
        assert len(file.name.encode()) <= 255
    # Those that were well stay as they are.
    assert {"%FF", "plain", "é"} < {file.name for file in found}


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user")
@pytest.mark.parametrize("locked", ["folder", "folder/file"])
def test_what_cannot_be_read_is_named_and_not_left_out(locked: str) -> None:
    """By a worker that is not root: its containers have its own user, whose scripts may take all rights away."""
    script = "import sys; from pathlib import Path; from triptych.running.result_files import result_files as r;"
    script += "print(r(Path(sys.argv[1]), None))"
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:
        out = Path(parent, "unit", "out")
        (out / "folder").mkdir(parents=True)
        (out / "folder" / "file").touch()
        for path in (Path(parent), *Path(parent).rglob("*")):
            os.chown(path, 65534, 65534)
        (out / locked).chmod(0)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", script]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [*command, str(out)], env=environment, cwd="/", capture_output=True, text=True, check=False
        )
    assert f"ChunkError: the result '{locked}' cannot be read: Permission denied" in done.stderr
