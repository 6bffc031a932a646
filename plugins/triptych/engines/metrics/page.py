"""The figures as one page of HTML that needs nothing else: no script, no style, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.pages import document, escaped, table

MOST_SHOWN = 40
"""Classes of which the matrix is shown: a wider one nobody reads."""
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse}.table{margin:1rem 0;overflow-x:auto}"
    "th,td{border:1px solid #ccc;padding:.3rem .6rem;text-align:right}th:first-child,.text{text-align:left}"
    ".figure{font-size:2.2rem;font-weight:600}"
)
_SHADES = 20
_SHADED = "".join(f".s{n}{{background:rgba(30,100,200,{n / _SHADES * 0.7:.3f})}}" for n in range(_SHADES + 1))


def page(figures: Mapping[str, Any]) -> str:
    """Everything in it that comes from data is escaped."""
    body = _transcription(figures) if figures["task"] == "transcription" else _classification(figures)
    return document("Metrics", _STYLE + _SHADED, body)


def _classification(figures: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h1>Classification</h1><p class="figure">{figures["accuracy"]:.2%} accuracy</p>'
    yield f"<p>{figures['records']:,} records, {len(figures['classes']):,} classes.</p><h2>Classes</h2>"
    rows = [*figures["classes"].items(), *((name, figures[name]) for name in ("macro avg", "weighted avg"))]
    yield table(
        ["", "precision", "recall", "F1", "support"],
        [
            [name, *(f"{each[key]:.3f}" for key in ("precision", "recall", "f1-score")), _count(each.get("support"))]
            for name, each in rows
        ],
    )
    matrix = figures["confusion_matrix"]
    yield "<h2>Confusion matrix</h2>"
    if len(matrix["labels"]) > MOST_SHOWN:
        yield f"<p>Of {len(matrix['labels']):,} classes: it is in the JSON file.</p>"
        return
    yield "<p>A row for each class that is true, a column for each that was predicted.</p>"
    yield _matrix(matrix["labels"], matrix["counts"])


def _transcription(figures: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h1>Transcription</h1><p class="figure">{figures["word_error_rate"]:.2%} word error rate</p>'
    yield f"<p>{figures['errors']:,} errors in {figures['words']:,} words of {figures['records']:,} records, "
    yield f"of which {figures['exact_records']:,} have none.</p>"
    if figures["worst"]:
        yield "<h2>Most errors</h2>"
        rows = [
            [each["place"], _count(each["errors"]), _count(each["words"]), each["reference"], each["prediction"]]
            for each in figures["worst"]
        ]
        yield table(["place", "errors", "words", "reference", "prediction"], rows, (0, 3, 4))


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """The darker, the larger the share of its row."""
    head = "".join(f"<th>{escaped(label)}</th>" for label in labels)
    rows = []
    for label, row in zip(labels, counts, strict=True):
        most = sum(row) or 1
        cells = "".join(f'<td class="s{round(n / most * _SHADES)}">{n:,}</td>' for n in row)
        rows.append(f"<tr><th>{escaped(label)}</th>{cells}</tr>")
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
