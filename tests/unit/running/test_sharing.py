"""How a container sees our folders: mounted where the engine can, copied where it cannot, found out once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from docker.errors import APIError

from triptych.blocks import Block, Role
from triptych.running.sharing.archives import Archives
from triptych.running.sharing.binds import Binds
from triptych.running.sharing.choice import create_sharing
from triptych.running.spec import Cache, RunSpec
from triptych.settings import Settings, read_settings

if TYPE_CHECKING:
    from docker.types import Mount

_urls = (f"tcp://127.0.0.1:{port}" for port in itertools.count(20_000))
NOT_SHARED = "invalid mount config for type bind: bind source path does not exist: /tmp/x"


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    block = Block(Role.APP, "tried", "1.0", tmp_path / "tried")
    block.code.mkdir(parents=True)
    (block.code / "main.py").write_text("print()", encoding="utf-8")
    (block.code / "__pycache__").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    return RunSpec(block, work, Cache(tmp_path / "shared", tmp_path / "own"), {})


def _settings(files: str) -> Settings:
    """Of an engine that no test has asked yet."""
    return read_settings({"docker_files": files, "docker_url": next(_urls)})


def _engine(refusal: str = "") -> tuple[list[list[Mount]], Callable[[list[Mount], bool], str]]:
    """What containers were created with, and how to create one; `refusal` is said to every bind mount."""
    created: list[list[Mount]] = []

    def create(mounts: list[Mount], has_mounts: bool) -> str:
        assert has_mounts == any(mount["Type"] == "bind" for mount in mounts)
        if refusal and any(mount["Type"] == "bind" for mount in mounts):
            raise APIError(refusal)
        created.append(mounts)
        return f"box{len(created)}"

    return created, create


def test_folders_are_mounted_and_the_scripts_are_read_only(spec: RunSpec) -> None:
    created, create = _engine()
    container, sharing = create_sharing(_none(), spec, _settings("auto"), create)
    assert container == "box1"
    assert isinstance(sharing, Binds)
    read_only = {mount["Target"]: mount["ReadOnly"] for mount in created[0]}
    assert read_only == {
        "/triptych/work": False,
        "/triptych/home": False,
        "/tmp": False,
        "/var/tmp": False,
        "/dev/shm": False,
        "/triptych/app": True,
        "/triptych/launcher": True,
        "/triptych/shared": True,
        "/triptych/cache": False,
    }
    copy = next(Path(mount["Source"]) for mount in created[0] if mount["Target"] == "/triptych/app")
    assert [path.name for path in copy.iterdir()] == ["main.py"]
    assert copy.is_relative_to(spec.work)


def test_an_engine_that_does_not_share_our_files_gets_copies_from_then_on(spec: RunSpec) -> None:
    settings = _settings("auto")
    created, create = _engine(NOT_SHARED)
    tries = [create_sharing(_none(), spec, settings, create) for _ in range(2)]
    assert [type(sharing) for _, sharing in tries] == [Archives, Archives]
    assert [{mount["Type"] for mount in mounts} for mounts in created] == [{"volume"}, {"volume"}]
    # What was found out is of that engine only.
    assert isinstance(create_sharing(_none(), spec, _settings("auto"), _engine()[1])[1], Binds)


def test_another_refusal_is_the_engines_own(spec: RunSpec) -> None:
    _, create = _engine("no space left on device")
    with pytest.raises(APIError, match="no space left"):
        create_sharing(_none(), spec, _settings("auto"), create)


def test_bind_and_archive_are_not_guessed(spec: RunSpec) -> None:
    with pytest.raises(APIError, match="does not exist"):
        create_sharing(_none(), spec, _settings("bind"), _engine(NOT_SHARED)[1])
    assert isinstance(create_sharing(_none(), spec, _settings("archive"), _engine()[1])[1], Archives)


def _none() -> Any:
    """A client of an engine that maps no users: creating is a function of the caller's."""
    return SimpleNamespace(info=dict)
