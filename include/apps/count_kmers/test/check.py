"""Whether each k-mer is there as often as Jellyfish counts it, and no other is."""

import csv
import sys
from pathlib import Path


def main(output: Path, expected: Path) -> None:
    with (output / "kmers.tsv").open(newline="") as file:
        rows = [(row["kmer"], int(row["count_sum"])) for row in csv.DictReader(file, delimiter="\t")]
    lines = (expected / "jellyfish.txt").read_text().splitlines()
    wanted = {kmer: int(count) for kmer, count in map(str.split, lines)}
    if len(rows) != len(wanted):
        sys.exit(f"kmers.tsv: {len(rows)} k-mers; expected {len(wanted)}.")
    for kmer, count in rows:
        if wanted.get(kmer) != count:
            sys.exit(f"kmers.tsv: {kmer} is there {count} times; expected {wanted.get(kmer)}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
