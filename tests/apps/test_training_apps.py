"""`train_ridge` and `train_federated` beside scikit-learn in one process. (Samples: `test_computing_apps.py`.)"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.apps.conftest import App

WHOLE, CUT = 1, 7
"""Chunks."""


def _digits(path: Path) -> Path:
    """Whole numbers only: their sums are exact in floating point, in any order."""
    pixels, digits = load_digits(return_X_y=True)
    header = ",".join([*(f"p{n}" for n in range(pixels.shape[1])), "digit"])
    np.savetxt(path, np.column_stack([pixels, digits]), "%d", ",", header=header, comments="")
    return path


def test_a_ridge_of_many_chunks_is_that_of_one_machine_to_the_last_bit(run_app: App, tmp_path: Path) -> None:
    source = _digits(tmp_path / "digits.csv")
    options = ["-p", "app.target=digit", "-p", "assembler.alphas=[1,100]", "-p", "partitioner.target_mib=null"]
    models = []
    for chunks in (WHOLE, CUT):
        cut = ["-p", f"partitioner.chunks={chunks}", "-p", "config.existing=replace"]
        output = run_app("train_ridge", [source], *options, *cut)
        models.append((output / "model.json").read_bytes())
    assert models[0] == models[1]
    model = json.loads(models[0])
    assert model["rows"] == 1797
    pixels, digits = load_digits(return_X_y=True)
    for fit in model["fits"]:
        pipeline = make_pipeline(StandardScaler(), Ridge(fit["alpha"])).fit(pixels, digits)
        expected = pipeline[-1].coef_ / pipeline[0].scale_
        assert fit["coefficients"] == pytest.approx(expected.tolist(), rel=1e-8, abs=1e-10)
        assert fit["r_squared"] == pytest.approx(pipeline.score(pixels, digits), rel=1e-9)
