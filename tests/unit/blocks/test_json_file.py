"""Reading files that users write: nothing hangs, dies or slips through; what is wrong is told with its location."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from tests.support.rights import reading_only_what_modes_allow
from triptych.blocks import read_catalog
from triptych.blocks.json_file import MOST_BYTES, MOST_DEPTH, read_object


def _nested(depth: int, inner: str = "1") -> str:
    return '{"a": ' + "[" * depth + inner + "]" * depth + "}"


@pytest.mark.parametrize(
    ("text", "location", "says"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "$.b", "the key 'c' is there twice"),
        ('{"a": 1e400}', "$.a", "is 1e400"),
        ('{"a": [0, -1e999]}', "$.a.1", "is -1e999"),
        ('{"a": NaN}', "$.a", "is NaN, which is no JSON"),
        ('{"a": -Infinity}', "$.a", "is -Infinity, which is no JSON"),
        ('{"a": ' + "9" * 5000 + "}", "$.a", "must lie within"),
        ('{"a": ' + str(2**63) + "}", "$.a", "must lie within"),
        ('{"a": "b\\u0000c"}', "$.a", "holds a NUL"),
        ('{"a": {"b\\u0000": 1}}', "$.a", "the key 'b\\x00' holds a NUL"),
        ('{"a": "\\ud800"}', "$.a", "half a surrogate pair"),
        ('{"a": {"\\udfff": 1}}', "$.a", "half a surrogate pair"),
        ('{"' + "k" * 1001 + '": 1}', "$", "longer than 1,000 characters"),
        (_nested(MOST_DEPTH), "$.a.0.0.", f"more than {MOST_DEPTH} deep"),
        (_nested(100_000), "$", f"more than {MOST_DEPTH} deep"),
        ("[" * 100_000, "$", f"more than {MOST_DEPTH} deep"),
        ('{"a": 1', "line 1, column 8", "is no JSON"),
        ("[1]", "$", "must be a JSON object"),
        (" " * MOST_BYTES + "{}", "$", "larger than"),
    ],
)
def test_what_is_refused_is_told_with_its_location(tmp_path: Path, text: str, location: str, says: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    data, (error, *_) = read_object(path)
    assert data == {}
    assert error.location.startswith(location)
    assert says in error.message
    assert len(str(error)) < 1000


@pytest.mark.parametrize(
    "value",
    [
        {"a": 2**63 - 1, "b": -(2**63 - 1), "c": 1.7e308, "d": 5e-324, "e": "\U0001f600", "f": "\ufeff"},
        json.loads(_nested(MOST_DEPTH - 1)),
        {"text": "x" * (MOST_BYTES - 100)},
    ],
)
def test_what_is_within_the_limits_is_as_the_standard_library_reads_it(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value), encoding="utf-8-sig")
    assert read_object(path) == (value, [])


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def _folder(path: Path) -> None:
    path.mkdir()


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _unreadable(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0)


def _latin(path: Path) -> None:
    path.write_bytes(b'{"name": "caf\xe9"}')


MADE = [_fifo, _device, _terminal, _folder, _circle, _dangling, _unreadable, _latin]


@pytest.mark.parametrize("make", MADE)
def test_what_is_no_readable_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "x.json"
    make(path)
    with reading_only_what_modes_allow():
        data, (error,) = read_object(path)
    assert (data, error.path) == ({}, path)


def test_a_pipe_with_an_object_in_it_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(end, b'{"a": 1}')
        data, (error,) = read_object(path)
        assert (data, error.message) == ({}, "cannot be read: it is no regular file: put one in its place.")
        assert os.read(end, 100) == b'{"a": 1}'
    finally:
        os.close(end)


@pytest.mark.parametrize("name", ["manifest.json", "schema.json", "template.json"])
@pytest.mark.parametrize("make", [each for each in MADE if each is not _folder])
def test_beside_it_the_others_are_read(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    write_app(tmp_path, "", name="sound")
    write_app(tmp_path, "", name="worn", schema={})
    path = tmp_path / "apps" / "worn" / name
    path.unlink()
    make(path)
    with reading_only_what_modes_allow():
        catalog = read_catalog([tmp_path])
    assert [template.id for template in catalog.templates] == ["sound"]
    assert list(catalog.broken) == ["worn"]
    assert {error.path for error in catalog.errors} == {path}


def test_a_folder_that_nobody_can_look_into_is_named(tmp_path: Path) -> None:
    write_app(tmp_path, "", name="sound")
    write_app(tmp_path, "", name="shut")
    (tmp_path / "apps" / "shut").chmod(0)
    with reading_only_what_modes_allow():
        catalog = read_catalog([tmp_path])
    assert [template.id for template in catalog.templates] == ["sound"]
    assert "Permission denied" in str(catalog.broken["shut"][0])


@pytest.mark.parametrize(
    ("entrypoint", "says"),
    [
        ("x" * 5000, "File name too long"),
        ("a/" * 5000 + "x", "does not exist"),
        ("round", "cannot be read"),
        ("pipe", "is no file"),
        (".", "is no file"),
        ("main.py/x", "does not exist"),
        ("../../../etc/passwd", "leads out"),
        ("/etc/passwd", "leads out"),
    ],
)
def test_an_entrypoint_is_judged_whatever_it_is(tmp_path: Path, entrypoint: str, says: str) -> None:
    write_app(tmp_path, "")
    folder = tmp_path / "apps" / "tried"
    (folder / "app" / "round").symlink_to("round")
    os.mkfifo(folder / "app" / "pipe")
    about = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**about, "entrypoint": entrypoint}))
    (error,) = read_catalog([tmp_path]).errors
    assert (error.location, says in error.message) == ("$.entrypoint", True), error
    assert len(error.message) < 1000


def test_a_key_in_two_spellings_is_refused(tmp_path: Path) -> None:
    write_app(tmp_path, "")
    about = {"name": "tried", "version": "1.0", "platform_config": {"container": "x"}, "retries": 1, "Retries": 2}
    (tmp_path / "apps" / "tried" / "manifest.json").write_text(json.dumps(about))
    (error,) = read_catalog([tmp_path]).errors
    assert "there twice" in error.message
