"""Whether the rate that learns in time comes first."""

import csv
import sys
from pathlib import Path


def main(output: Path) -> None:
    with (output / "accuracy.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if [row["rate"] for row in rows] != ["0.5", "0.0001"]:
        sys.exit(f"accuracy.csv: rates {[row['rate'] for row in rows]}; expected 0.5 above 0.0001.")
    best, worst = (float(row["accuracy"]) for row in rows)
    if not best > 0.85 > worst:
        sys.exit(f"accuracy.csv: {best} and {worst}; expected one above 0.85, the other below.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
