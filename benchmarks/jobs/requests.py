"""Requests to the store per trivial range chunk, all stages together, counted at a proxy in front of SeaweedFS.

PYTHONPATH=. python benchmarks/jobs/requests.py [CHUNKS] [CHUNKS_PER_TASK]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.servers import seaweed
from tests.support.store_requests import count_requests


def main() -> None:
    numbers = [int(text) for text in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with seaweed(home) as store:
            counted = count_requests(store, home, *(numbers or [1000]))
    print("| request | number |\n| --- | ---: |")
    for kind, number in sorted(counted.by_kind.items(), key=lambda item: -item[1]):
        print(f"| {kind} | {number} |")
    print(f"| all, per chunk of {counted.chunks} | {counted.per_chunk:.2f} |")


if __name__ == "__main__":
    main()
