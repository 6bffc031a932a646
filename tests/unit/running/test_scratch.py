"""Whose scratch folders are dead: judged with processes that are really killed, in namespaces of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from triptych.errors import ConfigError
from triptych.running.scratch import scratch_folder

HOLDER = """
import sys
from pathlib import Path
from triptych.running.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "deep" / "er").mkdir(parents=True)
    print(folder.name, flush=True)
    sys.stdin.read()
"""
NAMESPACES = {
    "same": [],
    "own pids": ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"],
    "own host name": ["unshare", "--map-root-user", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh"],
}


@contextmanager
def _holder(root: Path, prefix: Sequence[str] = ()) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that holds a scratch folder until its input ends, and the folder's name."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*prefix, sys.executable, "-c", HOLDER, str(root)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def _names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def _files(name: str) -> set[str]:
    return {name, f"{name}.lock"}


def test_a_scratch_folder_lives_as_long_as_its_attempt(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    with scratch_folder(root) as folder:
        (folder / "file").write_text("x", encoding="utf-8")
        with scratch_folder(root) as other:
            assert folder != other
            assert (folder / "file").exists()
        assert _names(root) == _files(folder.name)
    assert _names(root) == set()


def test_threads_of_one_process_leave_each_other_alone(tmp_path: Path) -> None:
    """As the CLI's do: all make folders, each makes room, and all are there when every thread has one."""
    made, looked = threading.Barrier(8), threading.Barrier(8)
    found: list[bool] = []

    def attempt() -> None:
        with scratch_folder(tmp_path) as folder:
            (folder / "file").touch()
            made.wait(60)
            with scratch_folder(tmp_path):
                found.append((folder / "file").exists())
            looked.wait(60)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [True] * 8
    assert _names(tmp_path) == set()


def test_an_attempt_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch_folder(tmp_path) as folder:
        (folder / "missing" / "file").write_text("x", encoding="utf-8")
    assert _names(tmp_path) == set()


@pytest.mark.parametrize("prefix", NAMESPACES.values(), ids=NAMESPACES.keys())
def test_workers_in_other_namespaces_leave_each_other_alone(tmp_path: Path, prefix: Sequence[str]) -> None:
    """Two pid namespaces of one host name do not know each other's processes."""
    with ExitStack() as stack:
        first, one = stack.enter_context(_holder(tmp_path, prefix))
        second, other = stack.enter_context(_holder(tmp_path, prefix))
        with scratch_folder(tmp_path) as folder:
            assert _names(tmp_path) == _files(one) | _files(other) | _files(folder.name)
        for process in (first, second):
            process.communicate("")
            assert process.returncode == 0
    assert _names(tmp_path) == set()


@pytest.mark.parametrize("prefix", NAMESPACES.values(), ids=NAMESPACES.keys())
def test_the_next_attempt_removes_what_a_killed_one_left(tmp_path: Path, prefix: Sequence[str]) -> None:
    with _holder(tmp_path, prefix) as (process, name):
        # `unshare --fork` ends its child with itself.
        process.send_signal(signal.SIGKILL)
        process.wait()
        _until_unlocked(tmp_path / f"{name}.lock")
        assert _names(tmp_path) == _files(name)
        with scratch_folder(tmp_path) as folder:
            assert _names(tmp_path) == _files(folder.name)


def test_a_lock_that_was_never_finished_goes_too(tmp_path: Path) -> None:
    (tmp_path / ".new-0123456789abcdef.lock").touch()
    with scratch_folder(tmp_path) as folder:
        assert _names(tmp_path) == _files(folder.name)


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "attempt-somebodys").mkdir()
    (tmp_path / "notes.lock").touch()
    with scratch_folder(tmp_path):
        pass
    assert _names(tmp_path) == {"attempt-somebodys", "notes.lock"}


def test_a_folder_that_cannot_be_removed_keeps_its_lock_for_the_next_attempt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with scratch_folder(tmp_path) as folder:
        held = folder / "held"
        held.touch()
        if subprocess.run(["chattr", "+i", str(held)], check=False, capture_output=True).returncode:
            pytest.skip("files cannot be made immutable here")
    assert held.exists()
    assert any("cannot be removed" in text for text in caplog.messages)
    with scratch_folder(tmp_path):
        assert held.exists()
    subprocess.run(["chattr", "-i", str(held)], check=True)
    with scratch_folder(tmp_path):
        assert not held.exists()
    assert _names(tmp_path) == set()


def test_a_remote_file_system_is_refused_by_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych.running.scratch.remote_file_system", lambda root: "NFS")
    with pytest.raises(ConfigError, match=r"\[triptych\] scratch = .* is on NFS"), scratch_folder(tmp_path / "new"):
        pass
    assert _names(tmp_path) == set()


def _until_unlocked(lock: Path) -> None:
    """Wait for the end of the process that holds it: the kernel lets the lock go then."""
    subprocess.run(["flock", str(lock), "true"], check=True, timeout=60)
