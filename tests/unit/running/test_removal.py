"""Folders go, however deep they are and whatever rights their makers left them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from triptych.running.removal import empty_folder, remove_folder

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def _nest(folder: Path, depth: int) -> None:
    """Folders in folders, each with a file; by descriptor, as a path ends at 4,096 bytes."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


@pytest.mark.parametrize("depth", [0, 1, 1500, 20_000])
def test_any_depth(depth: int) -> None:
    memory = Path("/dev/shm")  # A disk takes milliseconds to remove each folder.
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as parent:
        folder = Path(parent, "deep")
        _nest(folder, depth)
        assert remove_folder(folder)
        assert list(Path(parent).iterdir()) == []


def test_breadth_and_depth_and_names_of_all_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "wide"
    for name in (b"\xff\xfe", b"a\nb", b"x" * 255, b".moved-", b"e/f/g/h", b"e/f/i", b"e/f/g/j"):
        (folder / os.fsdecode(name)).mkdir(parents=True)
        (folder / os.fsdecode(name) / "file").touch()
    assert remove_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_link_goes_and_what_it_names_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    (folder / "link").symlink_to(kept)
    (folder / "in" / "link").symlink_to(kept)
    assert remove_folder(folder)
    assert [path.name for path in kept.iterdir()] == ["file"]
    (tmp_path / "itself").symlink_to(kept)
    assert not remove_folder(tmp_path / "itself")
    assert [path.name for path in kept.iterdir()] == ["file"]


def test_nothing_there_is_removed(tmp_path: Path) -> None:
    assert remove_folder(tmp_path / "none")


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user")
def test_rights_that_were_taken_away_are_given_back(tmp_path: Path) -> None:
    """As a worker that is not root: its containers have its own uid, and their scripts may take all rights away."""
    folder = Path("/tmp") / f"triptych-{tmp_path.name}-{os.getpid()}"  # pytest's own folders are root's alone.
    work = folder / "work"
    for name in ("unreadable/a/b", "unwritable/a/b", "nothing/a/b"):
        (work / name).mkdir(parents=True)
        (work / name / "file").touch()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    for name, mode in (("unreadable", 0o300), ("unwritable", 0o500), ("nothing", 0)):
        for below in ("a/b", "a", "."):
            (work / name / below).chmod(mode)
    script = (
        f"from pathlib import Path; from triptych.running.removal import remove_folder as r; r(Path({str(work)!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*AS_NOBODY, sys.executable, "-c", script], env=environment, check=True, cwd="/")
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_as_much_as_can_goes_and_the_rest_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    held = folder / "a" / "b" / "held"
    held.parent.mkdir(parents=True)
    for path in (held, folder / "free", folder / "a" / "free"):
        path.touch()
    if subprocess.run(["chattr", "+i", str(held)], check=False, capture_output=True).returncode:
        pytest.skip("files cannot be made immutable here")
    assert not remove_folder(folder)
    [message] = caplog.messages
    assert str(folder) in message
    assert "Operation not permitted" in message
    [left] = [path for path in folder.rglob("*") if path.is_file()]
    assert left.name == "held"
    subprocess.run(["chattr", "-i", str(left)], check=True)
    assert remove_folder(folder)
    assert not folder.exists()


def test_what_was_written_on_a_folder_goes_with_what_is_in_it(tmp_path: Path) -> None:
    """Its mode, and attributes that whoever may write to it can set; the folder itself stays, as it is mounted."""
    place = tmp_path / "place"
    (place / "deep" / "er").mkdir(parents=True)
    (place / "link").symlink_to(tmp_path)
    (place / "deep").chmod(0)
    os.setxattr(place, "user.left", b"behind")
    place.chmod(0o4000)
    before = place.stat().st_ino
    assert empty_folder(place, 0o1777)
    assert list(place.iterdir()) == []
    assert os.listxattr(place) == []
    assert place.stat().st_mode & 0o7777 == 0o1777
    assert place.stat().st_ino == before


def test_a_folder_that_cannot_be_emptied_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not empty_folder(tmp_path / "none", 0o700)
    assert [message for message in caplog.messages if "none cannot be emptied" in message]
