"""One point of the sweep: lattices of its size, and of each the density at which it is first crossed.

Every site draws a number in [0, 1); at density p those below p are open. As p rises, sites only open, so that there is
one p from which on open sites join top and bottom: the lattice's threshold, found by halving.
"""

import csv
import json
import os
from pathlib import Path

import numpy as np
from scipy import ndimage

HALVINGS = 20
"""Leaves a threshold 1e-6 wide."""


def is_crossed(open_sites):
    """Whether a cluster of open sites, neighbours by side, reaches from the top row to the bottom row."""
    clusters, _ = ndimage.label(open_sites)
    return np.intersect1d(clusters[0][clusters[0] > 0], clusters[-1]).size > 0


def threshold(sites):
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_crossed(sites < middle) else (middle, high)
    return (low + high) / 2


def main() -> None:
    point = json.loads(Path(os.environ["TASK_DIR"], "data.bin").read_bytes())
    count = json.loads(os.environ["APP_PARAMS"]).get("lattices", 100)
    size, random = point["params"]["size"], np.random.default_rng(point["seed"])
    with Path(os.environ["TASK_RESULTS_DIR"], "thresholds.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["size", "threshold"])
        table.writerows([size, f"{threshold(random.random((size, size))):.6f}"] for _ in range(count))
    print(f"{count} lattices of {size} x {size}")


if __name__ == "__main__":
    main()
