"""Whether the mean threshold is the published one, as nearly as the standard error says."""

import json
import sys
from pathlib import Path

PUBLISHED = 0.59274605
"""Of site percolation on the square lattice: Jacobsen, J. Phys. A 48 (2015) 454003."""
MOST_ERRORS = 4
FINITE_SIZE = 0.0005
"""How much farther off a lattice of 128 x 128 may be than an infinite one."""


def main(output: Path) -> None:
    found = json.loads((output / "threshold.json").read_text())["threshold"]
    mean, error = found["mean"], found["standard_error"]
    if not 0 < error < 0.002:
        sys.exit(f"threshold.json: a standard error of {error}; it is expected above 0 and below 0.002.")
    if abs(mean - PUBLISHED) > MOST_ERRORS * error + FINITE_SIZE:
        sys.exit(f"threshold.json: {mean:.5f} +- {error:.5f}; expected {PUBLISHED}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
