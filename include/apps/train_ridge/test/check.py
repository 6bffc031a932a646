"""Whether the fit without a penalty is the one that NIST certifies, and penalties shrink it."""

import json
import sys
from math import isclose
from pathlib import Path

ROWS = 16
INTERCEPT = -3482258.63459582
CERTIFIED = {
    "deflator": 15.0618722713733,
    "gnp": -0.0358191792925910,
    "unemployed": -2.02022980381683,
    "armed_forces": -1.03322686717359,
    "population": -0.0511041056535807,
    "year": 1829.15146461355,
}
R_SQUARED = 0.995479004577296
"""NIST's Statistical Reference Datasets: Longley."""
RELATIVE = 1e-6
"""The predictors depend on each other so much that single precision has no digit right."""


def main(output: Path) -> None:
    model = json.loads((output / "model.json").read_text())
    if model["rows"] != ROWS:
        sys.exit(f"model.json: of {model['rows']} rows; expected {ROWS}.")
    found = model["fits"][0]
    wanted = {"alpha": 0, "intercept": INTERCEPT, **CERTIFIED, "r_squared": R_SQUARED}
    got = {**found, **dict(zip(model["predictors"], found["coefficients"], strict=True))}
    for name, value in wanted.items():
        if not isclose(got[name], value, rel_tol=RELATIVE):
            sys.exit(f"model.json: {name} is {got[name]}; expected {value}.")
    explained = [each["r_squared"] for each in model["fits"]]
    if explained != sorted(explained, reverse=True):
        sys.exit(f"model.json: with larger penalties r_squared is {explained}; it should fall.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
