"""When a folder counts as one that several machines share."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from triptych.errors import StorageAccessError
from triptych.settings import Settings, read_settings
from triptych.stages.preflight.machines import check_seen_elsewhere
from triptych.storage import Stores
from triptych.storage.files import FileStore

REFUSED = "no other machine than {} has been seen there"
Check = Callable[..., None]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, shared: Path) -> Settings:
    """Of a worker of several; it has the root `shared`, and its workspace below."""
    told = {"workspace": (shared / "w").as_uri(), "allowed_roots": f"{tmp_path / 'other'}:{shared}"}
    told |= {"cache": str(tmp_path / "cache"), "scratch": str(tmp_path / "scratch"), "shared_folders": "yes"}
    return dataclasses.replace(read_settings(told), one_machine=False)


@pytest.fixture(params=["workspace", "destination"])
def uri(request: pytest.FixtureRequest, settings: Settings, shared: Path) -> str:
    return f"{settings.workspace}/dag/run" if request.param == "workspace" else f"{shared.as_uri()}/deep/out/"


@pytest.fixture
def check(settings: Settings, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """As a machine of this host name, whose cache folder is its own unless it is said which."""

    def check(machine: str, cache: str | None = None, *, is_alone: bool = False) -> None:
        monkeypatch.setattr(platform, "node", lambda: machine)
        own = dataclasses.replace(settings, cache=tmp_path / (cache or f"cache-{machine}"), one_machine=is_alone)
        stores = Stores(own)
        store = stores.workspace() if uri.startswith(own.workspace) else stores.open(uri)
        check_seen_elsewhere(own, store, uri)

    return check


def test_a_folder_is_refused_until_another_machine_has_been_there(check: Check) -> None:
    for _ in range(2):
        with pytest.raises(StorageAccessError, match=REFUSED.format("w1")) as caught:
            check("w1")
        assert not caught.value.retryable
        assert "run `triptych doctor` on another worker" in str(caught.value)
    check("w2")
    check("w1")  # It reads what the second left when it was let through.


def test_what_two_machines_have_left_is_enough_for_more(check: Check, shared: Path) -> None:
    """A pod for each task would leave a pile."""
    with pytest.raises(StorageAccessError):
        check("pod-0")
    for number in range(1, 6):
        check(f"pod-{number}")
    assert len(list(shared.rglob("*.mark"))) == 2


def test_another_container_of_one_machine_is_no_other_machine(check: Check) -> None:
    for name in ("3f1c", "90ab", "3f1c"):
        with pytest.raises(StorageAccessError, match=REFUSED.format(name)):
            check(name, cache="one-volume")
    check("3f1c", cache="another's")  # Two machines of one host name are two.


def test_one_machine_asks_and_leaves_nothing(check: Check, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileStore, "list", lambda *_: pytest.fail("It asked."))
    check("laptop", is_alone=True)
    assert list(shared.iterdir()) == []


def test_object_stores_are_not_asked(settings: Settings, shared: Path) -> None:
    away = dataclasses.replace(settings, workspace="s3://bucket/w")
    check_seen_elsewhere(away, FileStore([]), "s3://bucket/out/")
    check_seen_elsewhere(away, FileStore([]), "s3://bucket/w/dag/run")
    assert list(shared.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"machine": 1, "version": "1", "written": 9}'])
def test_what_is_no_mark_shows_nothing(check: Check, shared: Path, uri: str, content: str) -> None:
    with pytest.raises(StorageAccessError):
        check("w1")
    [mark] = shared.rglob("*.mark")
    told = json.loads(mark.read_text())
    assert {key: told[key] for key in ("machine", "version")} == {"machine": "w1", "version": told["version"]}
    mark.with_name("other.mark").write_text(content)
    with pytest.raises(StorageAccessError):
        check("w1")


def test_who_cannot_leave_a_mark_is_told_where(check: Check, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(store: FileStore, uri: str, data: bytes) -> None:
        msg = f"{uri}: the worker's user may not do this."
        raise StorageAccessError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "put", refuse)
        with pytest.raises(StorageAccessError, match=r"cannot leave its mark there: .*may not.* Make file://\S+/ for"):
            check("w1")
    with pytest.raises(StorageAccessError):
        check("w2")
    monkeypatch.setattr(FileStore, "put", refuse)
    check("w1")  # Nobody needs its mark: the folder is shared.
