"""All chunks' `sums.json` in, `model.json` out: a fit for each penalty, none of which needs the rows again."""

import json
import math
import os
from pathlib import Path

import numpy as np


def added(parts):
    """Item by item, and without a rounding error on the way: the order of the chunks does not matter."""
    if isinstance(parts[0], list):
        return [added(each) for each in zip(*parts, strict=True)]
    return math.fsum(parts)


def fit(rows, xx, xy, yy, alpha):
    """Intercept and coefficients of the columns as they are, and the share of variance that they explain."""
    mean_x, mean_y = xx[0, 1:] / rows, xy[0] / rows
    covariance = xx[1:, 1:] - rows * np.outer(mean_x, mean_x)
    with_y = xy[1:] - rows * mean_x * mean_y
    scale = np.sqrt(np.maximum(np.diag(covariance), 0) / rows)
    scale[scale == 0] = 1
    scaled = covariance / np.outer(scale, scale)
    # The least-norm solution, where predictors depend on each other and there is no penalty.
    slopes, *_ = np.linalg.lstsq(scaled + alpha * np.eye(len(scale)), with_y / scale, rcond=None)
    slopes /= scale
    total = yy - rows * mean_y**2
    left = total - 2 * slopes @ with_y + slopes @ covariance @ slopes
    return {
        "alpha": alpha,
        "intercept": float(mean_y - slopes @ mean_x),
        "coefficients": slopes.tolist(),
        "r_squared": float(1 - left / total) if total > 0 else None,
    }


def main() -> None:
    alphas = json.loads(os.environ["ASSEMBLER_PARAMS"]).get("alphas", [0, 0.01, 0.1, 1, 10, 100])
    chunks = [json.loads(path.read_text()) for path in sorted(Path(os.environ["TASK_RESULTS_DIR"]).glob("*.json"))]
    if not chunks:
        raise SystemExit("No chunk left sums to be solved.")
    about = {name: chunks[0][name] for name in ("target", "predictors")}
    if any({name: chunk[name] for name in about} != about for chunk in chunks):
        raise SystemExit("The chunks are of tables with different columns, and sums of these mean nothing.")
    rows, xx, xy, yy = (added([chunk[name] for chunk in chunks]) for name in ("rows", "xx", "xy", "yy"))
    fits = [fit(rows, np.array(xx), np.array(xy), yy, alpha) for alpha in alphas]
    model = {**about, "rows": int(rows), "fits": fits}
    Path(os.environ["OUTPUT_DIR"], "model.json").write_text(json.dumps(model, indent=1) + "\n")


if __name__ == "__main__":
    main()
