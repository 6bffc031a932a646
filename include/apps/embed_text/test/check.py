"""Similarities of the vectors beside published ones, to four digits; and whether each pair that means one is nearest.

Usage: python check.py OUTPUT EXPECTED, folders with `vectors.parquet` and with `similarities.tsv` (one, other,
similarity).
"""

import csv
import sys
from pathlib import Path

import pyarrow.parquet as pq

PAIRS = [("weather", "sunny"), ("cat", "kitten"), ("loan", "mortgage")]


def main(output: Path, expected: Path) -> int:
    rows = pq.read_table(output / "vectors.parquet").to_pylist()
    vectors = {row["id"]: row["vector"] for row in rows}

    def similarity(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(vectors[one], vectors[other], strict=True))

    wrong = 0
    with (expected / "similarities.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            found = similarity(row["one"], row["other"])
            if f"{found:.4f}" != row["similarity"]:
                print(f"{row['one']}, {row['other']}: {found:.4f}; published is {row['similarity']}.")
                wrong += 1
    for one, other in PAIRS:
        nearest = max((each for each in vectors if each != one), key=lambda each: similarity(one, each))
        if nearest != other:
            print(f"{one}: {nearest} is nearest, and {other} should be.")
            wrong += 1
    return int(bool(wrong) or len(rows) != len(vectors) or len(rows) != 8)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
