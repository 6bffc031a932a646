"""Counts of labels that were predicted for labels that are true, and what follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from triptych.engines.metrics.measuring import MeasureError

MOST_CLASSES = 1000
"""A matrix of a million cells; what has more is no class."""


class Classification:
    """By the definitions of scikit-learn's `classification_report`; a ratio of nothing to nothing is 0."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._labels: set[str] = set()

    def add(self, references: Sequence[str], predictions: Sequence[str], place: Callable[[int], str]) -> None:
        """Count records; MeasureError where they have more classes than there may be."""
        pairs = Counter(zip(references, predictions, strict=True))
        for pair in pairs:
            self._labels.update(pair)
            if len(self._labels) > MOST_CLASSES:
                text = (
                    f"with {pair} there are more than {MOST_CLASSES:,} classes. Give numbers to the assembler reduce."
                )
                raise MeasureError(text, list(zip(references, predictions, strict=True)).index(pair))
        self._counts += pairs

    def read(self) -> dict[str, Any]:
        """Of each class, of all (`macro avg`: classes count the same; `weighted avg`: by support), and the matrix."""
        labels = sorted(self._labels)
        matrix = [[self._counts[true, predicted] for predicted in labels] for true in labels]
        total = self._counts.total()
        classes = {label: _of_class(matrix, index) for index, label in enumerate(labels)}
        weights = [each["support"] for each in classes.values()]
        names = ("precision", "recall", "f1-score")
        averages = {
            "macro avg": {name: _mean([each[name] for each in classes.values()]) for name in names},
            "weighted avg": {
                name: sum(each[name] * weight for each, weight in zip(classes.values(), weights, strict=True)) / total
                for name in names
            },
        }
        return {
            "accuracy": sum(matrix[index][index] for index in range(len(labels))) / total,
            "classes": classes,
            **averages,
            "confusion_matrix": {"labels": labels, "rows_are": "reference", "counts": matrix},
        }


def _of_class(matrix: list[list[int]], index: int) -> dict[str, float]:
    hits, support = matrix[index][index], sum(matrix[index])
    predicted = sum(row[index] for row in matrix)
    return {
        "precision": hits / predicted if predicted else 0.0,
        "recall": hits / support if support else 0.0,
        "f1-score": 2 * hits / (predicted + support) if predicted + support else 0.0,
        "support": support,
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
