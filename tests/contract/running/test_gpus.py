"""A script is given the GPUs that its session has, and no others; the driver that tells of them is not NVIDIA's."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.running.conftest import Workbench
from tests.support.fake_nvml import install
from triptych.running.container import create_container
from triptych.running.gpus import held_gpus
from triptych.running.result_files import result_files
from triptych.running.stop import Stop
from triptych.settings import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from triptych.settings import Settings

MACHINE = (("GPU-0a", "Tesla T4"), ("GPU-1b", "NVIDIA A100-SXM4-80GB"), ("GPU-2c", "NVIDIA A100-SXM4-80GB"))
TELLS = """
import os, pathlib
seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
pathlib.Path(os.environ["TASK_RESULTS_DIR"], "seen").write_text(seen)
"""
WANTS = {"device_requirements": {"gpu": ["nvidia a100"]}}


@pytest.fixture
def bench(tmp_path: Path, settings: Settings) -> Iterator[Workbench]:
    with ExitStack() as stack:
        yield Workbench(tmp_path, dataclasses.replace(settings, runner=Runner.PROCESS), stack)


def _seen(bench: Workbench, **manifest: Any) -> str:
    spec = bench.spec(TELLS, manifest=manifest)
    unit = bench.unit(spec)
    bench.session(spec).run(unit)
    (found,) = result_files(unit.folder / "out", None)
    return b"".join(found.blocks()).decode()


def test_processes_at_once_see_a_device_each(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, MACHINE)
    assert [_seen(bench, **WANTS), _seen(bench, **WANTS), _seen(bench)] == ["GPU-1b", "GPU-2c", "all"]


@pytest.mark.docker
def test_the_engine_is_asked_for_the_sessions_devices(
    bench: Workbench, in_docker: Settings, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No engine here could start it; what it was asked for, it tells."""
    install(monkeypatch, MACHINE)
    spec = bench.spec("", manifest=WANTS)
    with held_gpus(spec.block, in_docker, Stop()) as gpus:
        given = dataclasses.replace(spec, gpus=gpus)
        made = create_container(engine, given, in_docker, "python:3.11-slim", ["/bin/sh"], [], user="65534")
    try:
        (request,) = engine.inspect_container(made)["HostConfig"]["DeviceRequests"]
    finally:
        engine.remove_container(made, force=True)
    assert (request["DeviceIDs"], request["Count"], request["Capabilities"]) == (["GPU-1b"], 0, [["gpu"]])
