"""Whether each board has as many solutions as is published."""

import csv
import sys
from pathlib import Path

PUBLISHED = {9: 352, 10: 724}
"""OEIS A000170."""


def main(output: Path) -> None:
    with (output / "solutions.csv").open(newline="") as file:
        found = {int(row["n"]): int(row["solutions_sum"]) for row in csv.DictReader(file)}
    for n, count in PUBLISHED.items():
        if found.get(n) != count:
            sys.exit(f"solutions.csv: {found.get(n)} solutions on a board of {n}; expected {count}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
