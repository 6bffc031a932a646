"""Whose containers are dead: with workers that are really killed, on a real engine, in namespaces of their own."""

from __future__ import annotations

import dataclasses
import gc
import io
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from tests.contract.running.conftest import APP, Workbench
from tests.support.include_folders import write_app
from triptych.errors import ContainerError, ImageError
from triptych.running import UnitError
from triptych.running.reaper import EXPIRES, reap
from triptych.running.result_files import result_files
from triptych.settings import Settings

pytestmark = pytest.mark.docker
IMAGE = "python:3.11-slim"
WAITS = 'echo "running"; read -r _ < "$USER_CACHE_DIR/gate"; echo done > "$TASK_RESULTS_DIR/r"'
"""Ends when somebody writes to the pipe."""
WORKER = """
import dataclasses, sys
from pathlib import Path
from triptych.blocks import Role, read_catalog
from triptych.running import Cache, RunSpec, Unit, open_session, unit_folder
from triptych.settings import read_settings

root, label, app = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
settings = read_settings({"scratch": str(root / "scratch"), "runner": "docker", "docker_files": "bind"})
block = read_catalog([root]).template(app).app
work = root / "work"
work.mkdir()
spec = RunSpec(block, work, Cache.of(root / "cache", block), {"triptych.test": label})
with open_session(spec, settings) as session:
    session.run(Unit(Role.APP, unit_folder(work, "0"), {}, {}))
"""
OWN_PIDS = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture
def label(engine: Any) -> Iterator[str]:
    """A value of `triptych.test` that no other test has; its containers are gone in the end."""
    value = f"running-{secrets.token_hex(4)}"
    yield value
    for container in _containers(engine, value):
        with suppress(Exception):  # It may go by itself meanwhile.
            engine.remove_container(container["Id"], force=True, v=True)


def _containers(engine: Any, label: str) -> list[dict[str, Any]]:
    return list(engine.containers(all=True, filters={"label": [f"triptych.test={label}"]}))


def _reap(engine: Any, label: str, leftover_s: float) -> int:
    """As any job does, of this test's containers only."""
    return reap(engine, leftover_s, [f"triptych.test={label}"])


class Worker:
    """A process with a session whose unit waits at a gate."""

    def __init__(self, root: Path, label: str, engine: Any, prefix: Sequence[str] = ()) -> None:
        root.mkdir()
        write_app(root, WAITS, name=APP, entrypoint="main.sh")
        self.gate = root / "cache" / "apps" / APP / "gate"
        self.gate.parent.mkdir(parents=True)
        os.mkfifo(self.gate)
        self.gate.chmod(0o666)
        self.results = root / "work" / "units" / "0" / "out"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [*prefix, sys.executable, "-c", WORKER, str(root), label, APP]
        self.process = subprocess.Popen(command, env=environment)
        self._writer = os.open(self.gate, os.O_WRONLY)  # Returns when the script has come to the gate.
        [self.container] = [
            container["Id"]
            for container in _containers(engine, label)
            if any(mount["Source"].startswith(f"{root}/") for mount in container["Mounts"])
        ]

    def finish(self) -> int:
        os.write(self._writer, b"go\n")
        return self.process.wait(60)

    def close(self) -> None:
        os.close(self._writer)
        self.process.kill()
        self.process.wait()


@contextmanager
def _worker(*arguments: Any) -> Iterator[Worker]:
    worker = Worker(*arguments)
    try:
        yield worker
    finally:
        worker.close()


def test_a_killed_worker_ends_its_container_without_any_later_job(tmp_path: Path, engine: Any, label: str) -> None:
    with _worker(tmp_path / "w", label, engine) as worker:
        worker.process.send_signal(signal.SIGKILL)
        assert engine.wait(worker.container, timeout=60)["StatusCode"] == 137
    # Who comes next, under whatever name, removes it when its time has come, and not before.
    assert _reap(engine, label, 3600) == 0
    assert len(_containers(engine, label)) == 1
    assert _reap(engine, label, 0) == 1
    assert _containers(engine, label) == []


@pytest.mark.parametrize("prefix", [[], OWN_PIDS], ids=["one host", "two pid namespaces"])
def test_two_workers_of_one_host_name_leave_each_other_alone(
    tmp_path: Path, engine: Any, label: str, prefix: Sequence[str]
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(_worker(tmp_path / "1", label, engine, prefix))
        second = stack.enter_context(_worker(tmp_path / "2", label, engine, prefix))
        _reap(engine, label, 0)
        assert {container["Id"] for container in _containers(engine, label)} == {first.container, second.container}
        for worker in (second, first):
            assert worker.finish() == 0
            assert [path.name for path in worker.results.iterdir()] == ["r"]
    assert _containers(engine, label) == []


def test_one_that_was_never_started_goes_after_its_time(engine: Any, label: str) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    engine.create_container(IMAGE, "true", labels={"triptych.test": label, EXPIRES: later})
    assert _reap(engine, label, 3600) == 0
    assert _reap(engine, label, 0) == 1


def test_one_that_runs_beyond_its_expiry_goes_and_another_stays(engine: Any, label: str) -> None:
    now = datetime.fromisoformat(engine.info()["SystemTime"])
    made = {}
    for name, expires in (("over", now - timedelta(seconds=1)), ("needed", now + timedelta(hours=1))):
        labels = {"triptych.test": label, EXPIRES: expires.isoformat()}
        created = engine.create_container(IMAGE, ["sleep", "1000"], labels=labels)
        engine.start(created["Id"])
        made[name] = created["Id"]
    _reap(engine, label, 0)  # Or another job on this engine does it first.
    with suppress(NotFound):
        engine.wait(made["over"], timeout=60, condition="removed")
    assert [container["Id"] for container in _containers(engine, label)] == [made["needed"]]


def test_a_container_expires_with_its_job(in_docker: Settings, tmp_path: Path, engine: Any, label: str) -> None:
    with ExitStack() as stack:
        bench = Workbench(tmp_path, in_docker, stack)
        spec = bench.spec("", seconds_left=1000.0, labels={"triptych.test": label})
        bench.session(spec).run(bench.unit(spec))
        [container] = _containers(engine, label)
        now = datetime.fromisoformat(engine.info()["SystemTime"])
        left = datetime.fromisoformat(container["Labels"][EXPIRES]) - now
        assert timedelta(seconds=1000) < left <= timedelta(seconds=1600)


def test_what_a_script_leaves_running_is_gone_before_the_next(in_docker: Settings, tmp_path: Path) -> None:
    script = """
import os, subprocess, sys
seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
names = [open(f"/proc/{pid}/comm").read().strip() for pid in seen]
open(os.path.join(os.environ["TASK_RESULTS_DIR"], "seen"), "w").write(" ".join(names))
for _ in range(20):
    subprocess.Popen([sys.executable, "-c", "while True: print('late', flush=True)"], start_new_session=True)
"""
    with ExitStack() as stack:
        bench = Workbench(tmp_path, in_docker, stack)
        spec = bench.spec(script)
        session = bench.session(spec)
        for name in "012":
            unit = bench.unit(spec, name)
            session.run(unit)
            assert (unit.folder / "out" / "seen").read_text() == "docker-init sh sh python3"


def test_both_outputs_are_whole(in_docker: Settings, tmp_path: Path) -> None:
    script = "import os\nfor n in range(20000): os.write(1 + n % 2, b'line %d\\n' % n)"
    with ExitStack() as stack:
        bench = Workbench(tmp_path, in_docker, stack)
        spec = bench.spec(script)
        session = bench.session(spec)
        for name in "01":
            path = tmp_path / f"log{name}"
            with path.open("wb") as log:
                session.run(bench.unit(spec, name, log))
            lines = path.read_text().splitlines()
            assert sorted(lines) == sorted(f"line {n}" for n in range(20000))
            for parity in (0, 1):  # Each stream in its own order.
                assert [line for line in lines if int(line[5:]) % 2 == parity] == [
                    f"line {n}" for n in range(parity, 20000, 2)
                ]


def test_an_engine_that_goes_away_is_no_failure_of_the_script(
    in_docker: Settings, tmp_path: Path, engine: Any, label: str
) -> None:
    script = "import threading; print('running', flush=True); threading.Event().wait()"
    with ExitStack() as stack:
        relay = stack.enter_context(Relay(tmp_path / "engine.sock"))
        url = f"unix://{relay.path}"
        bench = Workbench(tmp_path, dataclasses.replace(in_docker, docker_url=url), stack)
        spec = bench.spec(script, labels={"triptych.test": label})
        session = bench.session(spec)
        log = Announced()
        threading.Thread(target=lambda: relay.close() if log.written.wait(60) else None).start()
        with pytest.raises(ContainerError, match=f"The connection to the engine at {url}") as caught:
            session.run(bench.unit(spec, log=log))
        assert caught.value.retryable
        assert not isinstance(caught.value, UnitError)
        [container] = _containers(engine, label)
        engine.wait(container["Id"], timeout=60)  # Its input has ended.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        del session, caught
        gc.collect()  # docker-py leaves a socket that could not connect to it.


@pytest.mark.parametrize("files", ["bind", "archive"])
def test_an_engine_that_is_gone_fails_nothing_that_succeeded(
    in_docker: Settings, tmp_path: Path, engine: Any, label: str, files: str
) -> None:
    """Neither the removal of a container that nobody removes, nor a unit that could not begin, is another's failure."""
    with Relay(tmp_path / "engine.sock") as relay, ExitStack() as stack:
        settings = dataclasses.replace(in_docker, docker_url=f"unix://{relay.path}", docker_files=files)
        bench = Workbench(tmp_path, settings, stack)
        spec = bench.spec('echo x > "$TASK_RESULTS_DIR/r"', "main.sh", labels={"triptych.test": label})
        session = bench.session(spec)
        unit = bench.unit(spec)
        session.run(unit)
        assert [file.name for file in result_files(unit.folder / "out", None)] == ["r"]
        relay.close()
        with pytest.raises(ContainerError, match="engine") as caught:
            session.run(bench.unit(spec, "1"))
        assert not isinstance(caught.value, UnitError)
        stack.close()  # Removes the container, or would.
        containers = _containers(engine, label)
        assert len(containers) == (files == "bind")  # Copies are of one container for each unit.
        for container in containers:
            engine.wait(container["Id"], timeout=60)  # It ends by itself.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        del session, caught
        gc.collect()  # docker-py leaves a socket that could not connect to it.
    with suppress(NotFound):
        for container in containers:
            engine.remove_container(container["Id"], force=True, v=True)
    with suppress(NotFound):
        engine.remove_volume(f"triptych-cache-{APP}", force=True)


def test_an_image_whose_shell_cannot_end_processes_is_refused(
    in_docker: Settings, tmp_path: Path, engine: Any, label: str
) -> None:
    image = f"triptych-tests/{label}"
    shell = ["sh", "-c", "ln -sf bash /bin/sh"]
    made = engine.create_container(IMAGE, shell, labels={"triptych.test": label})["Id"]
    engine.start(made)
    engine.wait(made, timeout=60)
    # Bash takes functions from its environment.
    engine.commit(made, image, "1", changes=['ENV "BASH_FUNC_kill%%"="() { :; }"'])
    try:
        with ExitStack() as stack:
            bench = Workbench(tmp_path, in_docker, stack)
            spec = bench.spec("", manifest={"platform_config": {"container": f"{image}:1"}})
            with pytest.raises(ImageError, match=rf"(?s){APP}@1.0 cannot run in {image}:1.*has no builtin 'kill'"):
                bench.session(spec).run(bench.unit(spec))
    finally:
        engine.remove_image(f"{image}:1", force=True)


class Announced(io.BytesIO):
    """A log that tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, data: Any, /) -> int:
        self.written.set()
        return super().write(data)


class Relay:
    """A socket in front of the engine's; closed, it takes every connection with it, as an engine that ends does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for thread in self._threads:
            thread.join(60)
        for end in (self._listener, *self._ends):
            end.close()

    def close(self) -> None:
        """End what is open, and answer nobody any more."""
        self.path.unlink(missing_ok=True)
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect("/var/run/docker.sock")
                self._ends += [client, server]
                for source, target in ((client, server), (server, client)):
                    thread = threading.Thread(target=_pump, args=(source, target))
                    self._threads.append(thread)
                    thread.start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


GROWS = "x = bytearray(400 * 2**20); print(len(x))"
GROWS_IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GROWS!r}])"


@pytest.mark.parametrize("files", ["bind", "archive"])
@pytest.mark.parametrize("script", [GROWS, GROWS_IN_A_CHILD], ids=["itself", "a child"])
def test_out_of_memory_is_told_with_its_measures(
    in_docker: Settings, tmp_path: Path, engine: Any, label: str, files: str, script: str
) -> None:
    small = {"deviceRequirements": {"minMemory": 0.0625}}
    with ExitStack() as stack:
        bench = Workbench(tmp_path, dataclasses.replace(in_docker, docker_files=files), stack)
        spec = bench.spec(script, manifest=small, labels={"triptych.test": label})
        session = bench.session(spec)
        for name in "01":
            with pytest.raises(UnitError, match=r"ran out of memory: it went beyond its limit of 0.0625 GiB") as caught:
                session.run(bench.unit(spec, name))
            assert caught.value.script_exit_code is not None
            usage = caught.value.usage
            assert usage is not None
            assert usage.peak_memory_bytes is not None
            assert 32 << 20 < usage.peak_memory_bytes <= 64 << 20
    if files == "archive":
        engine.remove_volume(f"triptych-cache-{APP}", force=True)
