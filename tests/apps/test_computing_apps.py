"""Apps that compute: their samples, and whether their `check.py` sees a figure that is wrong.

Of each the job runs once; the wrong figures are written into a copy of its output.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from tests.support.app_images import APPS
from tests.support.app_tests import states
from triptych.settings import PROJECT


@dataclass(frozen=True)
class Mistake:
    """In a file of a case's output: what stands there, and what a wrong run might write; or what it might draw."""

    case: str
    file: str
    right: str = ""
    wrong: str = ""
    redraw: Callable[[bytes], bytes] | None = None

    def of(self, right: bytes) -> bytes:
        """The file as a wrong run might leave it."""
        if self.redraw:
            return self.redraw(right)
        assert self.right.encode() in right, self
        return right.replace(self.right.encode(), self.wrong.encode(), 1)


def _moved(png: bytes) -> bytes:
    """All of the picture is there, 20 pixels to the right."""
    with Image.open(io.BytesIO(png)) as image, io.BytesIO() as file:
        ImageChops.offset(image, 20, 0).save(file, "PNG")
        return file.getvalue()


def _with_zero_weights(npz: bytes) -> bytes:
    with np.load(io.BytesIO(npz)) as model, io.BytesIO() as file:
        np.savez(file, weights=0 * model["weights"], bias=model["bias"])
        return file.getvalue()


MISTAKES = {
    "count_kmers": [Mistake("count_kmers", "kmers.tsv", "\t7\n", "\t8\n")],
    "count_primes": [
        Mistake("count_primes", "primes.json", "5761455", "5761456"),
        Mistake("count_primes", "primes.json", "440312", "440311"),
    ],
    "price_option": [
        Mistake("price_option", "price.json", '"mean": 10.4', '"mean": 10.6'),
        Mistake("price_option", "price.json", '"standard_error": 0.0', '"standard_error": 0.1'),
    ],
    "queens": [Mistake("queens", "solutions.csv", "10,724", "10,725")],
    "train_federated": [
        Mistake("train_federated", "model.npz", redraw=_with_zero_weights),
        Mistake("train_federated", "averaged.json", '"total_weight": 599', '"total_weight": 600'),
        Mistake("train_federated/folds", "metrics.json", '"support": 56', '"support": 55'),
        Mistake("train_federated/search", "accuracy.csv", "0.5,119,0.8824", "0.5,119,0.0824"),
    ],
    "train_ridge": [
        Mistake("train_ridge", "model.json", "15.06187", "15.06287"),
        Mistake("train_ridge", "model.json", '"rows": 16', '"rows": 15'),
    ],
    "mandelbrot": [Mistake("mandelbrot", "mandelbrot.png", redraw=_moved)],
    "percolation": [
        Mistake("percolation", "threshold.json", '"mean": 0.59', '"mean": 0.60'),
        Mistake("percolation/curves", "thresholds.csv", "128,200,0.59", "128,200,0.60"),
        Mistake("percolation/curves", "crossing.svg", "128 x 128", "64 x 64"),
    ],
}


@pytest.mark.parametrize("app", MISTAKES)
def test_samples_pass_and_a_wrong_figure_does_not(app: str, image: Callable[[str], str], tmp_path: Path) -> None:
    image(app)
    kept = tmp_path / "kept"
    found = states(app, PROJECT / "include", tmp_path, "--keep", str(kept))
    assert found == dict.fromkeys({mistake.case for mistake in MISTAKES[app]}, "passed")
    for mistake in MISTAKES[app]:
        case = APPS / app / "test" / mistake.case.removeprefix(app).strip("/")
        path = kept / mistake.case / mistake.file
        right = path.read_bytes()
        path.write_bytes(mistake.of(right))
        told = _checked(case, path.parent)
        path.write_bytes(right)
        assert mistake.file in told, mistake
        assert _checked(case, path.parent) == ""


def _checked(case: Path, output: Path) -> str:
    """What the case's `check.py` says of the output, as `triptych app test` calls it; nothing of a right one."""
    script = next(folder / "check.py" for folder in (case, *case.parents) if (folder / "check.py").exists())
    command = [sys.executable, str(script), str(output), str(case / "expected")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert bool(done.returncode) == bool(done.stderr)
    return done.stderr
