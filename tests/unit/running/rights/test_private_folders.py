"""The folder of caches is the worker's alone, and nothing in it is setuid."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from triptych.errors import ConfigError
from triptych.running.removal import remove_folder
from triptych.running.rights.private_folders import make_private, strip_setuid


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("name", ["cache", "deep/down/cache"])
def test_a_new_one_is_shut(tmp_path: Path, name: str) -> None:
    make_private(tmp_path / name)
    make_private(tmp_path / name)
    assert _mode(tmp_path / name) == 0o700


def test_one_of_an_earlier_version_is_shut(tmp_path: Path) -> None:
    for name in ("shared", "apps/counted", "models"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "storable.json").touch()
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    assert _mode(tmp_path) == 0o700


@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o750])
def test_a_folder_that_holds_more_is_refused_and_left(tmp_path: Path, mode: int) -> None:
    (tmp_path / "holidays").mkdir()
    tmp_path.chmod(mode)
    with pytest.raises(ConfigError, match=rf"cache = {tmp_path} is open .*'holidays'.*chmod 700"):
        make_private(tmp_path)
    assert _mode(tmp_path) == mode


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives folders away")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, -1)
    with pytest.raises(ConfigError, match=r"belongs to user 1234, and this worker is user 0"):
        make_private(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives links away")
def test_a_link_that_somebody_else_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "ours")
    os.chown(tmp_path / "cache", 1234, -1, follow_symlinks=False)
    with pytest.raises(ConfigError, match=r"belongs to user"):
        make_private(tmp_path / "cache")


def test_setuid_and_setgid_go_and_all_else_stays(tmp_path: Path) -> None:
    inside, outside = tmp_path / "cache", tmp_path / "outside"
    (inside / "a" / "b").mkdir(parents=True)
    outside.write_text("x")
    outside.chmod(0o6755)
    for name, mode in (("a/b/one", 0o4755), ("a/two", 0o2710), ("three", 0o6777), ("four", 0o640)):
        (inside / name).write_text(name)
        (inside / name).chmod(mode)
    (inside / "a").chmod(0o3777)
    (inside / "link").symlink_to(outside)
    os.mkfifo(inside / "pipe")
    (inside / "pipe").chmod(0o4666)
    strip_setuid(inside)
    modes = {str(path.relative_to(inside)): _mode(path) for path in inside.rglob("*") if not path.is_symlink()}
    assert modes == {
        "a": 0o1777,
        "a/b": _mode(inside / "a" / "b"),
        "a/b/one": 0o755,
        "a/two": 0o710,
        "three": 0o777,
        "four": 0o640,
        "pipe": 0o666,
    }
    assert _mode(outside) == 0o6755
    assert (inside / "a" / "b" / "one").read_text() == "a/b/one"


def test_a_folder_of_any_depth_is_searched_without_an_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    strip_setuid(top)
    assert caplog.messages == []
    assert remove_folder(top)  # pytest could not.


def test_what_cannot_be_searched_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    strip_setuid(tmp_path / "none")
    assert [str(tmp_path / "none") in message for message in caplog.messages] == [True]
