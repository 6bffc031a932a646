"""The store of files alone: its roots, its links, its names, and how it copies."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from triptych.errors import StorageAccessError
from triptych.settings import read_settings
from triptych.storage import BLOCK_BYTES, Stores
from triptych.storage.files import copy_in_kernel


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a file, beside the one allowed root `inside`."""
    (tmp_path / "inside").mkdir()
    folder = tmp_path / "inside-not"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    return folder


@pytest.mark.parametrize(
    "name",
    ["../inside-not/secret", "..%2Finside-not/secret", "%2e%2e/inside-not/secret", "link/secret", "loop/../../x"],
)
def test_files_outside_the_roots_are_refused(tmp_path: Path, outside: Path, name: str) -> None:
    inside = tmp_path / "inside"
    (inside / "link").symlink_to(outside)
    store = Stores(read_settings({"allowed_roots": str(inside)})).open("file:///any")
    uri = f"{inside.as_uri()}/{name}"
    for ask in (
        lambda: store.stat(uri),
        lambda: store.read(uri),
        lambda: store.put(uri, b"x"),
        lambda: store.put_if_absent(uri, b"x"),
        lambda: store.delete(uri),
        lambda: list(store.list(uri)),
        lambda: store.stage_copy(uri, 6, f"{inside.as_uri()}/copy", f"{inside.as_uri()}/aside"),
        lambda: store.stage_copy(f"{inside.as_uri()}/copy", 6, uri, f"{inside.as_uri()}/aside"),
    ):
        with pytest.raises(StorageAccessError, match="AIRFLOW__TRIPTYCH__ALLOWED_ROOTS"):
            ask()
    assert [path.name for path in inside.iterdir()] == ["link"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_linked_file_that_leads_outside_is_not_listed(tmp_path: Path, outside: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "linked").symlink_to(outside / "secret")
    store = Stores(read_settings({"allowed_roots": str(inside)})).open("file:///any")
    with pytest.raises(StorageAccessError):
        list(store.list(f"{inside.as_uri()}/"))


def test_links_that_are_left_out_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a").write_bytes(b"x")
    (folder / "file").symlink_to(folder / "in" / "a")
    for name, target in (("folder", folder / "in"), ("gone", folder / "b"), ("loop", folder / "loop")):
        (folder / name).symlink_to(target)
    store = Stores(read_settings({"allowed_roots": str(folder)})).open("file:///any")
    assert [Path(info.uri).name for info in store.list(f"{folder.as_uri()}/")] == ["file", "a"]
    (line,) = caplog.messages
    assert "links that lead to folders, or nowhere, are left out: 3, folder, gone, loop" in line


def test_without_roots_only_our_own_code_reaches_the_workspace(tmp_path: Path) -> None:
    workspace = (tmp_path / "work space").as_uri()
    stores = Stores(read_settings({"workspace": workspace}))
    store = stores.workspace()
    store.put(f"{workspace}/a", b"x")
    assert [info.uri for info in store.list(workspace)] == [f"{workspace}/a"]
    with pytest.raises(StorageAccessError):
        store.put(f"{tmp_path.as_uri()}/b", b"x")
    with pytest.raises(StorageAccessError, match="lies inside a folder of Triptych's own"):
        stores.open(f"{workspace}/a")
    with pytest.raises(StorageAccessError):
        Stores(read_settings({"workspace": "s3://bucket/w"})).open("file:///any").stat(f"{workspace}/a")


def test_a_prefix_does_not_look_at_other_folders(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "inside" / "a").write_bytes(b"x")
    (outside / "loop").symlink_to("loop")
    outside.rename(tmp_path / "elsewhere")
    store = Stores(read_settings({"allowed_roots": str(tmp_path / "inside")})).open("file:///any")
    assert [info.size for info in store.list((tmp_path / "inside").as_uri())] == [1]


def test_folders_that_workers_do_not_share_are_refused(tmp_path: Path) -> None:
    told = {"workspace": (tmp_path / "w").as_uri(), "allowed_roots": str(tmp_path), "shared_folders": "no"}
    stores = Stores(read_settings(told))
    says = r"folder of one machine.*\[triptych\] shared_folders = yes"
    with pytest.raises(StorageAccessError, match=says):
        stores.open(f"{tmp_path.as_uri()}/a")
    with pytest.raises(StorageAccessError, match=says):
        stores.workspace()


def test_names_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9").write_bytes(b"latin-1")
    store = Stores(read_settings({"allowed_roots": str(tmp_path)})).open("file:///any")
    (info,) = store.list(f"{tmp_path.as_uri()}/")
    assert info.uri == f"{tmp_path.as_uri()}/caf%E9"
    assert store.read(info.uri) == b"latin-1"


class _Sealed(io.FileIO):
    """A file whose bytes this process neither reads nor writes."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise AssertionError

    def write(self, data: object, /) -> int:
        raise AssertionError


def test_files_are_copied_by_the_kernel(tmp_path: Path) -> None:
    data = random.Random(4).randbytes(3 * BLOCK_BYTES + 1)
    (tmp_path / "from").write_bytes(data)
    with _Sealed(tmp_path / "from") as source, _Sealed(tmp_path / "to", "wb") as target:
        copy_in_kernel(source, target)
    assert (tmp_path / "to").read_bytes() == data
