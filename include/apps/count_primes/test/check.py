"""Whether there are as many primes, and twin primes, below 10**8 as is published."""

import json
import sys
from pathlib import Path

PUBLISHED = {"primes": 5_761_455, "twins": 440_312}
"""OEIS A006880 and A007508."""


def main(output: Path) -> None:
    found = json.loads((output / "primes.json").read_text())
    for name, count in PUBLISHED.items():
        if found[name]["sum"] != count:
            sys.exit(f"primes.json: {found[name]['sum']:,} {name}; expected {count:,}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
