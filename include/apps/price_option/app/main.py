"""One point of the sweep: the option's price by Monte Carlo, as a row of `price.csv`.

The underlying is a geometric Brownian motion under the risk-neutral measure (Black and Scholes). What the point names,
such as a strike, goes before the app's own parameters, and its seed decides the paths.
"""

import csv
import json
import math
import os
from pathlib import Path

import numpy as np

OPTION = {"payoff": "european", "kind": "call", "spot": 100, "strike": 100, "rate": 0.05, "volatility": 0.2, "years": 1}
DEFAULTS = {**OPTION, "steps": 50, "pairs": 500_000}
NORMALS = 1_000_000
"""Drawn at once: 8 MB, whatever the number of pairs."""


def paths(normals, option):
    """Prices of the underlying, (pairs, steps), at the end of each of equal steps."""
    steps = normals.shape[1]
    dt = option["years"] / steps
    drift = (option["rate"] - option["volatility"] ** 2 / 2) * dt
    growth = np.cumsum(drift + option["volatility"] * math.sqrt(dt) * normals, axis=1)
    return option["spot"] * np.exp(growth)


def present_values(normals, option):
    """What each path pays, discounted to today."""
    prices = paths(normals, option)
    reached = prices.mean(axis=1) if option["payoff"] == "asian" else prices[:, -1]
    sign = 1 if option["kind"] == "call" else -1
    return math.exp(-option["rate"] * option["years"]) * np.maximum(sign * (reached - option["strike"]), 0)


def estimate(option, seed):
    """Mean and standard error; a pair of mirrored paths is one sample, as its two are not independent."""
    random = np.random.default_rng(seed)
    steps = option["steps"] if option["payoff"] == "asian" else 1
    at_once = max(1, NORMALS // steps)
    count, total, squares = option["pairs"], 0.0, 0.0
    for begin in range(0, count, at_once):
        normals = random.standard_normal((min(at_once, count - begin), steps))
        samples = (present_values(normals, option) + present_values(-normals, option)) / 2
        total += samples.sum()
        squares += np.square(samples).sum()
    mean = total / count
    variance = max(squares / count - mean**2, 0) * count / max(count - 1, 1)
    return float(mean), math.sqrt(variance / count)


def main() -> None:
    point = json.loads(Path(os.environ["TASK_DIR"], "data.bin").read_bytes())
    option = {**DEFAULTS, **json.loads(os.environ["APP_PARAMS"]), **point["params"]}
    if unknown := option.keys() - DEFAULTS.keys():
        raise SystemExit(f"The sweep names {', '.join(sorted(unknown))}; an option has {', '.join(DEFAULTS)}.")
    price, error = estimate(option, point["seed"])
    row = {**point["params"], "seed": point["seed"], "price": price, "standard_error": error}
    with Path(os.environ["TASK_RESULTS_DIR"], "price.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, row)
        table.writeheader()
        table.writerow(row)
    print(f"{point['params']}: {price:.5f} +- {error:.5f}")


if __name__ == "__main__":
    main()
