"""Whether small and large lattices have the same mean threshold, the published one, and the plot shows both."""

import csv
import sys
from pathlib import Path

PUBLISHED = 0.59274605
"""Of site percolation on the square lattice: Jacobsen, J. Phys. A 48 (2015) 454003."""
MOST_ERRORS = 4
FINITE_SIZE = {16: 0.005, 128: 0.0005}
"""How much farther off than an infinite lattice one of this size may be; 1,600 of size 16 are by 0.0022 +- 0.0015."""


def main(output: Path) -> None:
    with (output / "thresholds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if [int(row["size"]) for row in rows] != list(FINITE_SIZE):
        sys.exit(f"thresholds.csv: sizes {[row['size'] for row in rows]}; expected {list(FINITE_SIZE)}.")
    for row in rows:
        mean, error = float(row["mean"]), float(row["standard_error"])
        if not abs(mean - PUBLISHED) <= MOST_ERRORS * error + FINITE_SIZE[int(row["size"])]:
            sys.exit(f"thresholds.csv: {mean} +- {error} of size {row['size']}; expected {PUBLISHED}.")
        if f"{row['size']} x {row['size']}" not in (output / "crossing.svg").read_text():
            sys.exit(f"crossing.svg: nothing of the size {row['size']} in the legend.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
