"""Whether the averaged model reads digits that no chunk had, by arithmetic of its own."""

import csv
import json
import sys
from pathlib import Path

import numpy as np

LEAST = 0.9
"""Of the held-out digits; by chance one in ten would be read right, and a model of one machine reads 0.95."""
ROWS = 599


def main(output: Path, expected: Path) -> None:
    with np.load(output / "model.npz") as model:
        weights, bias = model["weights"], model["bias"]
    with (expected / "held_out.csv").open(newline="") as file:
        rows = [(int(row.pop("digit")), [int(value) / 16 for value in row.values()]) for row in csv.DictReader(file)]
    right = sum(int(np.argmax(np.array(pixels) @ weights + bias)) == digit for digit, pixels in rows)
    if right < LEAST * len(rows):
        sys.exit(f"model.npz: it reads {right} of {len(rows)} digits; expected {LEAST:.0%} of them.")
    about = json.loads((output / "averaged.json").read_text())["models"][0]
    if (about["total_weight"], len(about["chunks"])) != (ROWS, 4):
        sys.exit(f"averaged.json: {len(about['chunks'])} chunks of {about['total_weight']} rows; expected 4 of {ROWS}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
