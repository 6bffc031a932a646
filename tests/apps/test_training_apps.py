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
ROUNDS = 2


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


def test_rounds_of_one_step_are_gradient_descent_on_one_machine(run_app: App, tmp_path: Path) -> None:
    """Each round begins with the model that the one before left."""
    source, before = _digits(tmp_path / "digits.csv"), list[str]()
    for number in range(ROUNDS):
        options = ["-p", "app.epochs=1", "-p", "config.existing=replace", "-p", "partitioner.chunks=3", *before]
        output = run_app("train_federated", [source], *options)
        model = tmp_path / f"round_{number}.npz"
        model.write_bytes((output / "model.npz").read_bytes())
        before = ["--input", f"model.npz={model}"]
    pixels, digits = load_digits(return_X_y=True)
    x, wanted, weights, bias = pixels / 16, np.eye(10)[digits], np.zeros((64, 10)), np.zeros(10)
    for _ in range(ROUNDS):
        shares = np.exp(x @ weights + bias)
        error = shares / shares.sum(axis=1, keepdims=True) - wanted
        weights -= 0.5 * (x.T @ error / len(x) + 1e-4 * weights)
        bias -= 0.5 * error.mean(axis=0)
    with np.load(model) as found:
        np.testing.assert_allclose(found["weights"], weights, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["bias"], bias, rtol=1e-9, atol=1e-12)
