"""Whether the first guess of each photo is what a person sees in it."""

import csv
import io
import sys
import zipfile
from pathlib import Path

from PIL import Image


def first_guesses(output: Path) -> dict[str, tuple[str, float]]:
    """Label and probability by the photo's name: of the table, or of the names of pictures in the zip."""
    if (output / "labels.parquet").exists():
        import pyarrow.parquet as pq

        rows = pq.read_table(output / "labels.parquet").to_pylist()
        return {row["file"]: (row["label"], row["probability"]) for row in rows if row["guess"] == 1}
    found = {}
    with zipfile.ZipFile(output / "labelled.zip") as package:
        for name in package.namelist():
            Image.open(io.BytesIO(package.read(name))).verify()
            label, _, photo = name.partition(", ")
            words, _, percent = label.rpartition(" ")
            found[photo] = (words, float(percent.rstrip("%")) / 100)
    return found


def main(output: Path) -> None:
    with Path(__file__).with_name("expected").joinpath("labels.csv").open(newline="") as file:
        wanted = {row["file"]: row["labels"].split("|") for row in csv.DictReader(file)}
    found = first_guesses(output)
    if sorted(found) != sorted(wanted):
        sys.exit(f"there are {', '.join(sorted(found))}.")
    for name, (label, probability) in sorted(found.items()):
        print(f"{name}: {label} {probability:.2f}")
        if label not in wanted[name]:
            sys.exit(f"{name}: {label}; expected {' or '.join(wanted[name])}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
