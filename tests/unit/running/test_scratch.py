"""Whose folders and containers are dead: judged by a process of this host that has really ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from triptych.running.reaper import owner_labels, reap
from triptych.running.scratch import is_dead, scratch_folder, this_process

NAME_OF_A_PROCESS = "from triptych.running.scratch import this_process; print(this_process())"


@pytest.fixture(scope="module")
def dead() -> str:
    """The name of a process that has ended."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", NAME_OF_A_PROCESS]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_that_runs_is_alive_and_one_that_ended_is_dead(dead: str) -> None:
    assert not is_dead(this_process())
    assert is_dead(dead)


def test_a_pid_that_another_process_has_now_is_dead() -> None:
    assert is_dead(f"{os.getpid()}:1")


@pytest.mark.parametrize("name", ["", "nobody", "12x:4"])
def test_what_names_no_process_is_left_alone(name: str) -> None:
    assert not is_dead(name)


def test_a_scratch_folder_lives_as_long_as_its_attempt(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    with scratch_folder(root) as folder:
        (folder / "file").write_text("x", encoding="utf-8")
        with scratch_folder(root) as other:
            assert folder != other
            assert folder.exists()
        assert [path.name for path in root.iterdir()] == [folder.name]
    assert list(root.iterdir()) == []


def test_an_attempt_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch_folder(tmp_path) as folder:
        (folder / "missing" / "file").write_text("x", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


def test_the_next_attempt_removes_what_dead_ones_of_this_host_left(tmp_path: Path, dead: str) -> None:
    host = socket.gethostname()
    (tmp_path / f"attempt-{host}-{dead}-abcd" / "deep").mkdir(parents=True)
    kept = [f"attempt-{host}-{this_process()}-abcd", f"attempt-elsewhere-{dead}-abcd", f"attempt-{host}-x-{dead}-abcd"]
    for name in kept:
        (tmp_path / name).mkdir()
    with scratch_folder(tmp_path) as folder:
        assert {path.name for path in tmp_path.iterdir()} == {*kept, folder.name}


class Engine:
    """Containers by id, with their labels; one refuses to go."""

    def __init__(self, **owners: str) -> None:
        self.owners = owners
        self.asked: dict[str, Any] = {}

    def containers(self, *, all: bool, filters: dict[str, str]) -> list[dict[str, Any]]:
        assert all
        self.asked = filters
        return [{"Id": name, "Labels": {"triptych.owner": owner}} for name, owner in self.owners.items()]

    def remove_container(self, container: str, *, force: bool, v: bool) -> None:
        assert force
        assert v
        if container == "going":
            message = "409 Client Error: removal of container going is already in progress"
            raise APIError(message)
        del self.owners[container]


def test_containers_of_dead_workers_go_and_others_stay(dead: str) -> None:
    engine: Any = Engine(ours=this_process(), left=dead, going=dead, unlabelled="")
    assert reap(engine) == 1
    assert set(engine.owners) == {"ours", "going", "unlabelled"}
    assert engine.asked == {"label": f"triptych.host={socket.gethostname()}"}


def test_our_containers_are_labelled_as_ours() -> None:
    assert owner_labels() == {"triptych.host": socket.gethostname(), "triptych.owner": this_process()}
