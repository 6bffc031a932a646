"""Softmax regression on one chunk of a table, by gradient descent over all of its rows.

What a chunk is depends on the task: rows to train or to predict with, a fold to validate with (its training table, then
its test table, each with a header), or a point of a sweep in front of all the data.
"""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np

DEFAULTS = {"task": "train", "target": "digit", "classes": 10, "divide_by": 16, "epochs": 100, "rate": 0.5, "l2": 1e-4}
MODEL = Path(os.environ.get("INPUTS_DIR", ""), "model.npz")
"""A side input; the first round has none."""
RESULTS = Path(os.environ["TASK_RESULTS_DIR"])


def read_table(text, params):
    """The predictors (rows, columns) and the classes (rows,)."""
    header, _, rows = text.partition("\n")
    names = next(csv.reader([header]))
    table = np.loadtxt(io.StringIO(rows), delimiter=",", ndmin=2)
    at = names.index(params["target"])
    return np.delete(table, at, axis=1) / params["divide_by"], table[:, at].astype(int)


def probabilities(model, x):
    scores = x @ model["weights"] + model["bias"]
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def zeros(columns, params):
    return {"weights": np.zeros((columns, params["classes"])), "bias": np.zeros(params["classes"])}


def trained(model, x, y, params):
    wanted = np.eye(params["classes"])[y]
    for _ in range(params["epochs"]):
        error = (probabilities(model, x) - wanted) / len(x)
        model = {
            "weights": model["weights"] - params["rate"] * (x.T @ error + params["l2"] * model["weights"]),
            "bias": model["bias"] - params["rate"] * error.sum(axis=0),
        }
    return model


def predicted(model, x):
    return probabilities(model, x).argmax(axis=1)


def write_predictions(y, found):
    with (RESULTS / "predictions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["reference", "prediction"])
        table.writerows(zip(y.tolist(), found.tolist(), strict=True))


def train(text, params):
    x, y = read_table(text, params)
    before = dict(np.load(MODEL)) if MODEL.exists() else zeros(x.shape[1], params)
    np.savez(RESULTS / "model.npz", **trained(before, x, y, params))
    (RESULTS / "samples.json").write_text(json.dumps({"samples": len(y)}))


def predict(text, params):
    x, y = read_table(text, params)
    write_predictions(y, predicted(dict(np.load(MODEL)), x))


def validate(text, params):
    begin = json.loads(os.environ["CHUNK_METADATA"])["train_bytes"]
    data = text.encode()
    x, y = read_table(data[:begin].decode(), params)
    model = trained(zeros(x.shape[1], params), x, y, params)
    x, y = read_table(data[begin:].decode(), params)
    write_predictions(y, predicted(model, x))


def search(text, params):
    point, _, rows = text.partition("\n")
    point = json.loads(point)["params"]
    x, y = read_table(rows, params)
    held_out = np.arange(len(y)) % 5 == 4
    model = trained(zeros(x.shape[1], params), x[~held_out], y[~held_out], {**params, **point})
    right = predicted(model, x[held_out]) == y[held_out]
    with (RESULTS / "accuracy.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*point, "rows", "accuracy"])
        table.writerow([*point.values(), right.size, f"{right.mean():.4f}"])


def main() -> None:
    params = {**DEFAULTS, **json.loads(os.environ["APP_PARAMS"])}
    text = Path(os.environ["TASK_DIR"], "data.bin").read_text()
    {"train": train, "predict": predict, "validate": validate, "search": search}[params["task"]](text, params)


if __name__ == "__main__":
    main()
