"""Whether every digit of the sample was tested once, and most are read right."""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

LEAST = 0.9


def main(output: Path) -> None:
    report = json.loads((output / "metrics.json").read_text())
    with (Path(__file__).parents[1] / "digits.csv").open(newline="") as file:
        digits = Counter(row["digit"] for row in csv.DictReader(file))
    tested = {str(label): about["support"] for label, about in report["classes"].items()}
    if tested != digits:
        sys.exit(f"metrics.json: tested {tested}; expected each digit once: {dict(digits)}.")
    if report["accuracy"] < LEAST:
        sys.exit(f"metrics.json: an accuracy of {report['accuracy']}; expected {LEAST} or more.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
