"""Counts the primes of one interval, [begin, begin + width), by a segmented sieve of Eratosthenes.

Twins are pairs of primes that differ by 2; a pair belongs to the interval that its smaller prime lies in.
"""

import json
import math
import os
from pathlib import Path

import numpy as np

SEGMENT = 1 << 20
"""Numbers sieved at once: 1 MB stays in a processor's cache."""


def small_primes(limit):
    """All primes up to the limit."""
    is_prime = np.ones(limit + 1, bool)
    is_prime[:2] = False
    for n in range(2, math.isqrt(limit) + 1):
        if is_prime[n]:
            is_prime[n * n :: n] = False
    return np.flatnonzero(is_prime)


def sieved(begin, end, primes):
    """Of each number in [begin, end) whether it is a prime; `primes` must reach the root of the end."""
    is_prime = np.ones(end - begin, bool)
    is_prime[: max(0, 2 - begin)] = False
    for p in primes.tolist():
        if p * p >= end:
            break
        first = max(p * p, -(-begin // p) * p)
        is_prime[first - begin :: p] = False
    return is_prime


def count(begin, end):
    """How many primes, and how many pairs of twins."""
    primes = small_primes(math.isqrt(end + 2) + 1)
    found = twins = 0
    for low in range(begin, end, SEGMENT):
        high = min(low + SEGMENT, end)
        is_prime = sieved(low, high + 2, primes)  # Two more, for the twin of the last.
        found += np.count_nonzero(is_prime[:-2])
        twins += np.count_nonzero(is_prime[:-2] & is_prime[2:])
    return {"primes": int(found), "twins": int(twins)}


def main() -> None:
    point = json.loads(Path(os.environ["TASK_DIR"], "data.bin").read_bytes())
    begin = point["params"]["begin"]
    end = begin + json.loads(os.environ["APP_PARAMS"]).get("width", 10_000_000)
    counts = count(begin, end)
    Path(os.environ["TASK_RESULTS_DIR"], "counts.json").write_text(json.dumps({"begin": begin, "end": end, **counts}))
    print(f"[{begin:,}, {end:,}): {counts['primes']:,} primes, {counts['twins']:,} twins")


if __name__ == "__main__":
    main()
