"""How many threads libraries of numbers are told to start."""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contract.running.conftest import Workbench
from triptych.settings import Settings

TELLS = """
import json, os
told = {key: os.environ.get(key) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
open(os.environ["TASK_RESULTS_DIR"] + "/told", "w").write(json.dumps(told))
"""


def _told(bench: Workbench, **manifest: Any) -> list[str | None]:
    spec = bench.spec(TELLS, manifest=manifest)
    unit = bench.unit(spec)
    bench.session(spec).run(unit)
    return list(json.loads((unit.folder / "out" / "told").read_text()).values())


def test_as_many_threads_as_cores_are_asked_for(settings: Settings, tmp_path: Path) -> None:
    with ExitStack() as stack:
        bench = Workbench(tmp_path, settings, stack)
        for cores, threads in ((0.25, "1"), (1, "1"), (1.5, "2"), (4, "4")):
            assert _told(bench, device_requirements={"min_cpu": cores}) == [threads] * 3


@pytest.mark.docker
def test_what_the_image_says_of_threads_stays(in_docker: Settings, tmp_path: Path, engine: Any) -> None:
    image = f"triptych-tests/threads-{secrets.token_hex(4)}"
    made = engine.create_container("python:3.11-slim", "true", labels={"triptych.test": "threads"})["Id"]
    engine.commit(made, image, "1", changes=["ENV OMP_NUM_THREADS=7"])
    engine.remove_container(made)
    try:
        with ExitStack() as stack:
            bench = Workbench(tmp_path, in_docker, stack)
            container = {"container": f"{image}:1"}
            assert _told(bench, platform_config=container) == ["7", None, None]
            assert _told(bench, platform_config=container, device_requirements={"min_cpu": 0.5}) == ["7", "1", "1"]
    finally:
        engine.remove_image(f"{image}:1", force=True)
