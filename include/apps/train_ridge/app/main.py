"""One chunk of a table: its part of X'X, X'y and y'y, which is all that a least-squares fit needs of the rows.

X has a column of ones in front, for the intercept, then the table's columns but the target, in their order.
"""

import csv
import json
import os
from pathlib import Path

import numpy as np


def read_table(path, target):
    """Names of the predictors, X, and y; the target may stand anywhere."""
    with path.open(newline="") as file:
        header = next(csv.reader(file))
        if target not in header:
            raise SystemExit(f"There is no column {target!r}; the table has {', '.join(header)}.")
        table = np.loadtxt(file, delimiter=",", ndmin=2)
    at = header.index(target)
    x = np.column_stack([np.ones(len(table)), np.delete(table, at, axis=1)])
    return [name for name in header if name != target], x, table[:, at]


def main() -> None:
    target = json.loads(os.environ["APP_PARAMS"])["target"]
    names, x, y = read_table(Path(os.environ["TASK_DIR"], "data.bin"), target)
    sums = {
        "target": target,
        "predictors": names,
        "rows": len(y),
        "xx": (x.T @ x).tolist(),
        "xy": (x.T @ y).tolist(),
        "yy": float(y @ y),
    }
    Path(os.environ["TASK_RESULTS_DIR"], "sums.json").write_text(json.dumps(sums))
    print(f"{len(y)} rows, {len(names)} predictors")


if __name__ == "__main__":
    main()
