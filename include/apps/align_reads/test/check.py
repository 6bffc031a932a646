"""Whether each read stands in the output, in order, at the position that it was cut out at."""

import csv
import sys
from pathlib import Path


def main(output: Path, expected: Path) -> None:
    lines = (output / "aligned.sam").read_text().splitlines()
    header = [line.partition("\t")[0] for line in lines if line.startswith("@")]
    if header != ["@HD", "@SQ", "@PG"] or not all(line.startswith("@") for line in lines[:3]):
        sys.exit(f"aligned.sam: its header has the lines {' '.join(header)}; @HD @SQ @PG are expected, at its top.")
    with (expected / "positions.tsv").open(newline="") as file:
        wanted = [
            (row["read"], row[mate]) for row in csv.DictReader(file, delimiter="\t") for mate in ("first", "second")
        ]
    found = [(fields[0], fields[3]) for fields in (line.split("\t") for line in lines[3:])]
    if len(found) != len(wanted):
        sys.exit(f"aligned.sam: {len(found)} reads, and {len(wanted)} are expected.")
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), 4):
        if one != other:
            sys.exit(f"aligned.sam, line {number}: {one[0]} at {one[1]}; expected {other[0]} at {other[1]}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
