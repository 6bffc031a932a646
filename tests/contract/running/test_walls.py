"""What of its container a script may write to, and who is seen to live in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contract.running.conftest import APP, Workbench
from tests.support.images import shell_image
from triptych.running import UnitError, compat
from triptych.running.census import Census
from triptych.settings import Settings

pytestmark = pytest.mark.docker
IMAGE = "python:3.11-slim"


def _created(engine: Any, command: list[str]) -> str:
    alone = engine.create_host_config(network_mode="none")
    labels = {"triptych.test": "running"}
    return str(engine.create_container(IMAGE, command, labels=labels, host_config=alone)["Id"])


@pytest.fixture(params=["bind", "archive"])
def bench(request: pytest.FixtureRequest, in_docker: Settings, tmp_path: Path, engine: Any) -> Iterator[Workbench]:
    with ExitStack() as stack:
        yield Workbench(tmp_path, dataclasses.replace(in_docker, docker_files=request.param), stack)
    if request.param == "archive":
        engine.remove_volume(f"triptych-cache-{APP}", force=True)


@pytest.fixture
def image(engine: Any) -> Iterator[str]:
    """One with a volume of its own, and a folder, that anybody may write to."""
    name = "triptych-tests/walls:1"
    made = _created(engine, ["chmod", "777", "/srv", "/media"])
    engine.start(made)
    engine.wait(made, timeout=60)
    engine.commit(made, *name.split(":"), changes=["VOLUME /srv"])
    engine.remove_container(made, force=True)
    yield name
    engine.remove_image(name, force=True)


WRITES = """
import os
where = os.environ["WHERE"]
seen = os.listdir(where)
open(where + "/left", "w").close()
open(os.environ["TASK_RESULTS_DIR"] + "/seen", "w").write(str(seen))
"""


def test_the_images_folders_are_read_only_and_the_error_says_what_to_do(bench: Workbench, image: str) -> None:
    spec = bench.spec(WRITES, manifest={"platform_config": {"container": image}})
    with pytest.raises(UnitError, match=r"The image's files are read-only.*\"writable_root\": true in its manifest"):
        bench.session(spec).run(bench.unit(spec, WHERE="/media"))


def test_who_looks_for_a_network_is_told_that_there_is_none(bench: Workbench) -> None:
    script = "import socket\nsocket.create_connection(('downloads.example.org', 443))\n"
    spec = bench.spec(script)
    with pytest.raises(UnitError, match=r'It has no network: say "network": "bridge" in platform_config'):
        bench.session(spec).run(bench.unit(spec))


def test_who_is_denied_is_told_who_it_is(bench: Workbench) -> None:
    spec = bench.spec("open('/etc/shadow').read()\n")
    with pytest.raises(UnitError, match=r"It runs as user 65534:65534, without any right of root's"):
        bench.session(spec).run(bench.unit(spec))


def test_a_volume_of_the_images_own_is_new_for_each_chunk(bench: Workbench, image: str) -> None:
    assert _seen(bench, "/srv", {"platform_config": {"container": image}}) == ["[]", "[]"]


@pytest.mark.parametrize("where", ["/srv", "/media"], ids=["a volume", "a folder"])
def test_a_manifest_makes_the_image_writable(bench: Workbench, image: str, where: str) -> None:
    first, second = _seen(bench, where, {"platform_config": {"container": image}, "writable_root": True})
    assert first == "[]"
    # A pack shares it, as the pages say; copies are of one container for each chunk.
    assert second == ("['left']" if bench.settings.docker_files == "bind" else "[]")


def _seen(bench: Workbench, where: str, manifest: dict[str, Any]) -> list[str]:
    """What two chunks of a pack saw there before each wrote to it."""
    spec = bench.spec(WRITES, manifest=manifest)
    session = bench.session(spec)
    units = [bench.unit(spec, name, WHERE=where) for name in "01"]
    for unit in units:
        session.run(unit)
    return [(unit.folder / "out" / "seen").read_text() for unit in units]


@pytest.mark.parametrize("where", ["/triptych/home", "/tmp", "/var/tmp", "/dev/shm", "/triptych/work/0/in"])
def test_these_may_be_written_to(bench: Workbench, where: str) -> None:
    spec = bench.spec(WRITES)
    bench.session(spec).run(bench.unit(spec, WHERE=where))


def test_ordinary_python_finds_its_folders(bench: Workbench) -> None:
    script = """
import multiprocessing, os, pathlib, tempfile
assert pathlib.Path("~").expanduser() == pathlib.Path(os.environ["HOME"])
(pathlib.Path.home() / ".cache" / "tool").mkdir(parents=True)
with tempfile.TemporaryDirectory() as folder:
    assert folder.startswith("/tmp/")
with multiprocessing.Pool(2) as pool:  # Its semaphores are files of /dev/shm.
    assert pool.map(abs, [-1, -2]) == [1, 2]
"""
    spec = bench.spec(script, manifest={"device_requirements": {"min_memory": 0.25}})
    session = bench.session(spec)
    for name in "01":
        session.run(bench.unit(spec, name))


def test_an_image_without_folders_of_its_own_runs(bench: Workbench, engine: Any) -> None:
    """It holds a shell and nothing else."""
    name = "triptych-tests/bare"
    engine.import_image_from_data(shell_image(), name, "1")
    try:
        manifest = {"platform_config": {"container": f"{name}:1"}}
        spec = bench.spec('echo "$HOME" > "$HOME/x" && echo ok > "$TASK_RESULTS_DIR/r"', "main.sh", manifest=manifest)
        session = bench.session(spec)
        for number in "01":
            unit = bench.unit(spec, number)
            session.run(unit)
            assert (unit.folder / "out" / "r").read_text() == "ok\n"
    finally:
        engine.remove_image(f"{name}:1", force=True)


def test_who_lives_in_a_container_is_counted_from_outside(engine: Any) -> None:
    script = "sleep 1000 & sleep 1000 & echo on; wait"
    made = _created(engine, ["sh", "-c", script])
    stream = engine.attach_socket(made, params={"stdout": 1, "stream": 1})
    try:
        engine.start(made)
        assert next(compat.output(stream)) == (1, b"on\n")
        here, elsewhere = Census(engine, made), Census(engine, made)
        elsewhere._local_list = lambda: None  # type: ignore[method-assign]  # As of an engine that is not on this machine.
        assert (here.living(), elsewhere.living()) == (3, 3)
        assert here._local_list() is not None
        engine.kill(made)
        engine.wait(made, timeout=60)
        assert (here.living(), elsewhere.living()) == (0, 0)
    finally:
        compat.hang_up(stream)
        engine.remove_container(made, force=True)
