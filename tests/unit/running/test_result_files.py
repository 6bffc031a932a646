"""What a script left in a folder that we share with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from triptych.errors import ChunkError
from triptych.running.result_files import ResultLimits, result_files


def test_files_come_by_name_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "empty").mkdir()
    for name, data in (("b/2", b"22"), ("b.txt", b""), ("a", b"1")):
        (tmp_path / name).write_bytes(data)
    found = result_files(tmp_path, ResultLimits(3, 3))
    assert [(file.name, file.size) for file in found] == [("a", 1), ("b.txt", 0), ("b/2", 2)]
    assert [file.path.read_bytes() for file in found] == [b"1", b"", b"22"]


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
