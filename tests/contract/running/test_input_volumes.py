"""Side inputs on an engine that does not share our files: volumes that are filled once, and kept while in use."""

from __future__ import annotations

import dataclasses
import logging
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from tests.contract.running.conftest import APP, Workbench
from triptych.running import MountedInput, RunSpec
from triptych.running.sharing.volumes import LABEL, VolumeLimits, remove_unused
from triptych.settings import Runner, Settings

pytestmark = pytest.mark.docker
READS = 'cat "$INPUTS_DIR/index/deep/a" "$INPUTS_DIR/index/z" > "$TASK_RESULTS_DIR/seen"'
DIES = """
import sys
from pathlib import Path
from triptych.blocks import Role
from triptych.running import Cache, MountedInput, RunSpec, Unit, open_session, unit_folder
from triptych.running.sharing import volumes
from triptych.settings import read_settings
from triptych.blocks.catalog import read_catalog

root, include, key, size, path = sys.argv[1:]
def half(path, name):
    blocks = real(path, name)
    for _ in range(3):
        yield next(blocks)
    print("half", flush=True)
    sys.stdin.read()
real, volumes.tar_blocks = volumes.tar_blocks, half
settings = read_settings({"scratch": f"{root}/scratch", "docker_files": "archive"})
app = read_catalog([Path(include)]).template("tried-alone").app
work = Path(root, "dying")
work.mkdir()
inputs = (MountedInput("index", key, int(size), Path(path)),)
spec = RunSpec(app, work, Cache.of(settings.cache, app), {"triptych.test": "running"}, inputs=inputs)
with open_session(spec, settings) as session:
    folder = unit_folder(work, "0")
    session.run(Unit(Role.APP, folder, {}, {}))
"""


@pytest.fixture
def index(tmp_path: Path, engine: Any) -> Iterator[MountedInput]:
    """A folder that no engine has seen yet."""
    folder = tmp_path / "index"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("first ")
    (folder / "z").write_text("last")
    key = secrets.token_hex(32)
    yield MountedInput("index", key, 10, folder)
    for name in (f"triptych-input-{key}", f"triptych-cache-{APP}"):
        with suppress(NotFound):
            engine.remove_volume(name, force=True)


@pytest.fixture
def bench(tmp_path: Path, settings: Settings) -> Iterator[Workbench]:
    with ExitStack() as stack:
        yield Workbench(tmp_path, dataclasses.replace(settings, runner=Runner.DOCKER, docker_files="archive"), stack)


def _seen(bench: Workbench, spec: RunSpec) -> str:
    unit = bench.unit(spec)
    bench.session(spec).run(unit)
    return (unit.folder / "out" / "seen").read_text()


def _volumes(engine: Any, side: MountedInput) -> list[str]:
    found = engine.volumes(filters={"label": [LABEL]})["Volumes"] or ()
    return [volume["Name"] for volume in found if side.key in volume["Name"]]


def test_of_several_workers_one_fills_and_the_others_wait(
    bench: Workbench, index: MountedInput, caplog: pytest.LogCaptureFixture
) -> None:
    specs = [bench.spec(READS, "main.sh", inputs=(index,)) for _ in range(3)]
    with caplog.at_level(logging.INFO, "triptych"), ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda spec: _seen(bench, spec), specs)) == ["first last"] * 3
    assert [each for each in caplog.messages if "given to the engine" in each] == [
        each for each in caplog.messages if each.startswith("Input index: 10 bytes given to the engine")
    ][:1]


def test_one_that_is_killed_midway_leaves_nothing_half(
    bench: Workbench, index: MountedInput, tmp_path: Path, engine: Any
) -> None:
    spec = bench.spec(READS, "main.sh", inputs=(index,))
    include = spec.work.parent / "include"
    dying = subprocess.Popen(
        [sys.executable, "-c", DIES, str(tmp_path), str(include), index.key, str(index.size), str(index.path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert dying.stdout is not None
        assert dying.stdout.readline() == b"half\n"
        dying.send_signal(signal.SIGKILL)
        assert _seen(bench, spec) == "first last"
        assert engine.containers(all=True, filters={"name": f"triptych-input-{index.key}"}) == []
    finally:
        dying.kill()
        dying.communicate()
        for left in engine.containers(all=True, filters={"volume": f"triptych-input-{index.key}"}):
            engine.remove_container(left["Id"], force=True, v=True)


def test_a_volume_in_use_is_kept_and_goes_afterwards(bench: Workbench, index: MountedInput, engine: Any) -> None:
    spec = bench.spec(READS, "main.sh", inputs=(index,))
    unit = bench.unit(spec)
    mount = [f"triptych-input-{index.key}:/held"]
    bench.session(spec).run(unit)
    config = engine.create_host_config(binds=mount)
    holder = engine.create_container(
        "python:3.11-slim", ["true"], host_config=config, labels={"triptych.test": "running"}
    )
    try:
        remove_unused(engine, VolumeLimits(0, 10**9))
        assert _volumes(engine, index)
    finally:
        engine.remove_container(holder["Id"], v=True)
    remove_unused(engine, VolumeLimits(10**15, 10**9))
    assert _volumes(engine, index)
    remove_unused(engine, VolumeLimits(0, 10**9))
    assert _volumes(engine, index) == []
