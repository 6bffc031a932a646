"""Counts the ways to place n queens, row by row, the first of them at column `first`.

Columns and both diagonals that are taken are bits of three integers; the diagonals' move by one with each row. Boards
are counted with their mirror images: `first` runs over the left half, and what stands left of the middle counts twice.
"""

import json
import os
from pathlib import Path


def ways(n, columns, falling, rising):
    """To place the queens of the rows that are left."""
    full = (1 << n) - 1
    if columns == full:
        return 1
    found = 0
    free = full & ~(columns | falling | rising)
    while free:
        place = free & -free
        free ^= place
        found += ways(n, columns | place, (falling | place) >> 1, (rising | place) << 1)
    return found


def solutions(n, first):
    """Those with the first queen at this column, and their mirror images."""
    middle = n // 2
    if first > middle or (first == middle and n % 2 == 0):
        return 0
    place = 1 << first
    found = ways(n, place, place >> 1, place << 1)
    return found if n % 2 and first == middle else 2 * found


def main() -> None:
    board = json.loads(Path(os.environ["TASK_DIR"], "data.bin").read_bytes())["params"]
    found = solutions(board["n"], board["first"])
    table = f"n,first,solutions\n{board['n']},{board['first']},{found}\n"
    Path(os.environ["TASK_RESULTS_DIR"], "solutions.csv").write_text(table)
    print(f"{board}: {found:,}")


if __name__ == "__main__":
    main()
