"""Which files a side input has, and at which paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triptych.errors import SourceError
from triptych.jobs import side_inputs
from triptych.jobs.locations import Location
from triptych.jobs.side_inputs import SideInput, resolve_inputs
from triptych.settings import Settings
from triptych.storage import ObjectInfo, Stores
from triptych.storage.paths import file_uri

FILES = ("ref/genome.fa", "ref/index/a.idx", "ref/index/deep er/b ü #1.idx", "other/index/a.idx", "other/c")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def _resolved(settings: Settings, *uris: str) -> SideInput:
    (side,) = resolve_inputs({"index": [Location(uri) for uri in uris]}, Stores(settings))
    return side


@pytest.mark.parametrize(
    ("uris", "paths"),
    [
        (["ref/index/"], ["a.idx", "deep er/b ü #1.idx"]),
        (["ref/"], ["genome.fa", "index/a.idx", "index/deep er/b ü #1.idx"]),
        (["ref/*/*.idx"], ["index/a.idx"]),
        (["ref/genome.*"], ["genome.fa"]),
        (["ref/genome.fa", "other/c"], ["c", "genome.fa"]),
        (["ref/index/", "other/c"], ["a.idx", "c", "deep er/b ü #1.idx"]),
    ],
)
def test_several_files_keep_their_paths_below_what_was_named(
    settings: Settings, root: Path, uris: list[str], paths: list[str]
) -> None:
    side = _resolved(settings, *(f"{file_uri(root)}/{uri}" for uri in uris))
    assert side.is_folder
    assert [file.path for file in side.files] == paths


def test_one_file_that_was_named_is_no_folder(settings: Settings, root: Path) -> None:
    side = _resolved(settings, f"{root.as_uri()}/ref/index/deep er/b%20ü%20%231.idx")
    assert not side.is_folder
    assert side.size == len(FILES[2].encode())


@pytest.mark.parametrize(
    ("uris", "message"),
    [
        (
            ["ref/index/", "other/index/"],
            r"other/index/a\.idx and file:.*ref/index/a\.idx would lie at one path, 'a\.idx'",
        ),
        (["other/c", "other/c"], "would lie at one path, 'c'"),
        (["missing/"], r"inputs\.index file:.*missing/: the folder holds no file"),
        (["missing"], r"inputs\.index file:.*missing: there is no such object"),
        (["ref/*.txt"], "the glob holds no file"),
    ],
)
def test_what_cannot_be_had_is_told(settings: Settings, root: Path, uris: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        _resolved(settings, *(f"{root.as_uri()}/{uri}" for uri in uris))


def test_a_file_and_a_folder_at_one_path_are_refused(settings: Settings, root: Path) -> None:
    (root / "plain").mkdir()
    (root / "plain" / "index").write_text("a file")
    with pytest.raises(SourceError, match="would lie at one path, 'index'"):
        _resolved(settings, f"{root.as_uri()}/plain/", f"{root.as_uri()}/ref/")


@pytest.mark.parametrize("name", [b"a\xff", b"line\nbreak"])
def test_a_name_that_is_no_text_is_refused(settings: Settings, root: Path, name: bytes) -> None:
    (root / "odd").mkdir()
    (root / "odd" / name.decode("utf-8", "surrogateescape")).write_text("odd")
    with pytest.raises(SourceError, match="its path cannot be that of a file"):
        _resolved(settings, f"{root.as_uri()}/odd/")


@pytest.mark.parametrize("key", ["index/../../etc/passwd", "index/./a", "index/..%2Fa", "index/" + "x" * 256])
def test_a_path_that_leads_out_is_refused(key: str) -> None:
    """Stores take any text as a key."""

    class Listing:
        lists = True

        def list(self, prefix: str) -> list[ObjectInfo]:
            return [ObjectInfo(f"s3://b/{key}", 1, "e")]

    class Opened(Stores):
        def __init__(self) -> None:
            pass

        def open(self, uri: str, conn_id: str | None = None, service: object = None) -> Any:
            return Listing()

    with pytest.raises(SourceError, match="its path cannot be that of a file"):
        resolve_inputs({"index": [Location("s3://b/index/")]}, Opened())


def test_more_files_than_a_plan_can_list_are_refused(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_inputs, "MOST_FILES", 4)
    with pytest.raises(
        SourceError, match=r"inputs\.index: has 5 files, and a job can have 4 in all of its side inputs"
    ):
        _resolved(settings, f"{root.as_uri()}/ref/", f"{root.as_uri()}/other/*", f"{root.as_uri()}/other/index/*")
