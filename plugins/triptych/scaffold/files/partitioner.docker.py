"""Cuts each file in SOURCE_DIR into CHUNKS_DIR/data_0.bin, data_1.bin ... of equal size."""

import json
import os
from pathlib import Path


def main() -> None:
    size = json.loads(os.environ["PARTITIONER_PARAMS"])["bytes"]
    chunks = Path(os.environ["CHUNKS_DIR"])
    number = 0
    for path in sorted(Path(os.environ["SOURCE_DIR"]).iterdir()):
        with path.open("rb") as source:
            while data := source.read(size):
                (chunks / f"data_{number}.bin").write_bytes(data)
                number += 1


if __name__ == "__main__":
    main()
