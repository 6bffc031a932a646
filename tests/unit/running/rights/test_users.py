"""Who runs in a container, for engines and workers that no machine of ours has; tests/attacks has those that it has."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from triptych.blocks import Block, Role
from triptych.errors import ConfigError
from triptych.running.rights.users import container_user, needs_copies
from triptych.settings import read_settings

SECCOMP = "name=seccomp,profile=default"


def _client(*options: str, user: str = "") -> Any:
    """An engine with these security options, whose only image has this USER."""
    image = {"Id": "sha256:1", "Config": {"User": user}}
    return SimpleNamespace(info=lambda: {"SecurityOptions": [*options]}, inspect_image=lambda _: image)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process says that it is user 1234."""
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    monkeypatch.setattr(os, "getgid", lambda: 99)


def _user(client: Any, *, has_mounts: bool, allowed: str = "", image: str = "reg.example:5000/a/b:1@sha256:0") -> str:
    block = Block(Role.APP, "tried", "1.0", Path("/none"), image=image)
    return container_user(client, "sha256:1", block, read_settings({"root_images": allowed}), has_mounts=has_mounts)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("options", "expected"),
    [([SECCOMP], "1234:99"), ([SECCOMP, "name=rootless"], "0:0"), ([], "1234:99")],
    ids=["plain", "rootless", "an engine that does not tell"],
)
def test_a_worker_that_is_not_root_meets_its_own_uid_in_what_is_mounted(options: list[str], expected: str) -> None:
    assert _user(_client(*options, user="root"), has_mounts=True) == expected


@pytest.mark.usefixtures("worker")
def test_where_files_are_copied_the_image_says_who_it_is() -> None:
    assert _user(_client(SECCOMP, "name=userns", user="1000:50"), has_mounts=False) == "1000:50"
    assert _user(_client(SECCOMP, "name=rootless"), has_mounts=False) == "65534:65534"


@pytest.mark.parametrize("user", ["", "0", "00", "-0", "+0", "0:0", "0:users"])
def test_root_by_any_number_is_nobody_unless_its_repository_is_allowed(user: str) -> None:
    client = _client(user=user)
    assert _user(client, has_mounts=False) == "65534:65534"
    assert _user(client, has_mounts=False, allowed="reg.example:5000/a, reg.example/a/b") == "65534:65534"
    assert _user(client, has_mounts=False, allowed="x,reg.example:5000/a/b").partition(":")[0] == "0"
    assert _user(client, has_mounts=False, allowed="docker.io/library/shell", image="shell:2").startswith("0")


@pytest.mark.usefixtures("worker")
def test_an_engine_that_maps_users_shares_no_folders_with_a_worker_that_is_not_root(tmp_path: Path) -> None:
    """But for a rootless one of the same user, whose socket that user owns."""
    auto = {"docker_url": f"unix://{tmp_path / 'engine.sock'}"}
    (tmp_path / "engine.sock").touch()
    mapped, rootless = _client(SECCOMP, "name=userns"), _client(SECCOMP, "name=rootless")
    assert not needs_copies(_client(SECCOMP), read_settings(auto))
    assert needs_copies(mapped, read_settings(auto))
    assert needs_copies(rootless, read_settings(auto))
    with pytest.raises(ConfigError, match=r"docker_files = bind, .* maps users \(userns\).* auto or archive"):
        needs_copies(mapped, read_settings({**auto, "docker_files": "bind"}))


@pytest.mark.usefixtures("worker")
def test_a_rootless_engine_of_the_same_user_shares_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine.sock").touch()
    monkeypatch.setattr(os, "getuid", lambda: (tmp_path / "engine.sock").stat().st_uid)
    rootless = _client(SECCOMP, "name=rootless")
    assert not needs_copies(rootless, read_settings({"docker_url": f"unix://{tmp_path / 'engine.sock'}"}))
