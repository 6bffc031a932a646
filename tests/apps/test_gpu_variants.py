"""Apps for GPUs beside those for CPUs: one script for both. No machine of the tests has a GPU: what is shown here is
that such a job is refused where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.app_images import APPS
from triptych.errors import CapacityError
from triptych.settings import PROJECT

VARIANTS = ("classify_images", "transcribe")
PHOTO = APPS / "enhance_image" / "test" / "cup.png"


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("app", VARIANTS)
def test_a_variant_differs_in_its_image_and_what_it_needs_alone(app: str) -> None:
    own, plain = APPS / app / "gpu", APPS / app
    assert (own / "app").resolve() == plain / "app"
    assert (own / "schema.json").resolve() == plain / "schema.json"
    differs = {"$schema", "id", "name", "description", "app"}
    templates = [_read(folder / "template.json") for folder in (own, plain)]
    assert len({json.dumps({k: v for k, v in each.items() if k not in differs}) for each in templates}) == 1
    manifest = _read(own / "manifest.json")
    assert manifest["platform_config"] == {"container": f"triptych/{app}_gpu:1.0", "network": "none"}
    assert all(isinstance(name, str) for name in manifest["device_requirements"]["gpu"])


def _triptych(folder: Path, include: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(PROJECT / "plugins")}
    return subprocess.run(
        [sys.executable, "-m", "triptych", "run", *words, "--include", str(include), "--destination", "out"],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("app", VARIANTS)
def test_without_such_a_gpu_the_job_is_refused_before_data_moves(app: str, tmp_path: Path) -> None:
    done = _triptych(tmp_path, PROJECT / "include", f"{app}_gpu", "--source", str(PHOTO))
    assert done.returncode == CapacityError.exit_code
    assert f"app {app}_gpu@1.0 needs a GPU of Tesla T4 or NVIDIA L4" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.whole
def test_onnxruntime_does_not_go_on_without_its_gpu(image: Callable[[str], str], tmp_path: Path) -> None:
    """As it would by itself, with a warning: an engine may hand out a GPU that CUDA cannot use."""
    image("classify_images")
    script, photos = APPS / "classify_images" / "app", tmp_path / "data.bin"
    with tarfile.open(photos, "w") as tar:
        tar.add(next((APPS / "classify_images" / "test").rglob("*.jpg")), "photo.jpg")
    mounts = [f"--volume={script}:/script:ro", f"--volume={tmp_path}:/job"]
    given = ["--env=APP_PARAMS={}", "--env=TASK_DIR=/job", "--env=TASK_RESULTS_DIR=/job"]
    run = ["docker", "run", "--rm", "--label=triptych.tests=1", "--network=none", *mounts, *given]
    done = subprocess.run(
        [*run, image("classify_images/gpu"), "python3", "/script/main.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "onnxruntime has no CUDAExecutionProvider here; what it printed above says why." in done.stderr
    assert not (tmp_path / "labels.csv").exists()
