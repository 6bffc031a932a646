"""All chunks' `thresholds.csv` in, `crossing.svg` and `thresholds.csv` by size out.

The share of lattices whose threshold is below p is how likely one is crossed at p: the curves of all sizes meet at the
threshold of the infinite lattice.
"""

import csv
import os
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

PUBLISHED = 0.592746
SHOWN = (0.45, 0.75)


def thresholds_by_size(folder: Path) -> dict[int, np.ndarray]:
    found = defaultdict(list)
    for path in folder.glob("*.csv"):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                found[int(row["size"])].append(float(row["threshold"]))
    return {size: np.sort(found[size]) for size in sorted(found)}


def write_table(sizes: dict[int, np.ndarray], path: Path) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["size", "lattices", "mean", "standard_error"])
        for size, values in sizes.items():
            error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            table.writerow([size, len(values), f"{values.mean():.6f}", f"{error:.6f}"])


def plot(sizes: dict[int, np.ndarray], path: Path) -> None:
    mpl.rcParams |= {"svg.hashsalt": "percolation", "svg.fonttype": "none"}  # The same file of the same numbers.
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    density = np.linspace(*SHOWN, 301)
    for size, values in sizes.items():
        axes.plot(density, np.searchsorted(values, density) / len(values), label=f"{size} x {size}")
    axes.axvline(PUBLISHED, color="grey", linestyle=":", label=f"published, {PUBLISHED}")
    axes.set(xlabel="density of open sites", ylabel="share of lattices crossed", xlim=SHOWN)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    output = Path(os.environ["OUTPUT_DIR"])
    sizes = thresholds_by_size(Path(os.environ["TASK_RESULTS_DIR"]))
    if not sizes:
        raise SystemExit("No chunk left a table of thresholds to be plotted.")
    write_table(sizes, output / "thresholds.csv")
    plot(sizes, output / "crossing.svg")


if __name__ == "__main__":
    main()
