"""Predictions beside what is true, as figures in JSON and as a page; a batch of records in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from triptych.engines import Output, Result
from triptych.engines.api import Input
from triptych.engines.dialects.opening import opened
from triptych.engines.documents.contained import tables_in
from triptych.engines.metrics.classification import Classification
from triptych.engines.metrics.measuring import MeasureError
from triptych.engines.metrics.page import page
from triptych.engines.metrics.transcription import Transcription
from triptych.engines.tables.cells import NUL, NULL_CELL
from triptych.engines.tables.named_cells import CellBatch, named_cells
from triptych.errors import EngineError, JobSpecError


class Metrics(Protocol):
    """What a task counts."""

    def add(self, references: Sequence[str], predictions: Sequence[str], place: Callable[[int], str]) -> None:
        """Count records; MeasureError for one that cannot be."""

    def read(self) -> dict[str, Any]:
        """All figures; EngineError where they are of nothing."""


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`name`.json and `name`.html, over the records of all results together; nothing where there is no result."""
    columns = params["reference"], params["prediction"]
    if columns[0] == columns[1]:
        msg = f"params.assembler.prediction: is {columns[1]!r}, as the reference is. Name two columns."
        raise JobSpecError(msg)
    if not results:
        return
    is_text = params["task"] == "transcription"
    metrics: Metrics = Transcription(normalize=params["normalize"]) if is_text else Classification()
    records = sum(_add(metrics, result, columns, params, may_be_null=is_text) for result in results)
    if not records:
        msg = "The results hold no record, and there is nothing to measure. Look at what the app writes."
        raise EngineError(msg)
    figures = {"task": params["task"], "records": records, **metrics.read()}
    with output.open(f"{params['name']}.json") as out:
        out.write(json.dumps(figures, ensure_ascii=False, indent=1).encode() + b"\n")
    with output.open(f"{params['name']}.html") as out:
        out.write(page(figures).encode())


def _add(
    metrics: Metrics, result: Result, columns: Sequence[str], params: Mapping[str, Any], *, may_be_null: bool
) -> int:
    """Count a result's records; how many there are."""
    records = 0
    for item in tables_in(result, arrow=True) if result.size else ():
        for batch in named_cells(opened(item, params, binaries=("parquet",)), columns):
            # A prediction of no text is one of silence; a label is none that is not there.
            for name in columns[: 1 if may_be_null else 2]:
                _refuse_null(batch, name, item)
            references, predictions = ([_text(cell) for cell in batch.columns[name].to_pylist()] for name in columns)
            try:
                metrics.add(references, predictions, partial(_place, result, batch))
            except MeasureError as error:
                text = f"{batch.location(error.index)}: {error}"
                raise item.error(text) from error
            records += len(references)
    return records


def _refuse_null(batch: CellBatch, name: str, item: Input) -> None:
    index = batch.columns[name].index(NULL_CELL).as_py()
    if index >= 0:
        text = f"{batch.location(index)}: {name!r} has no value. Write one in every record, or leave the record out."
        raise item.error(text)


def _text(cell: str) -> str:
    """A number, or true, as it stands in JSON."""
    return "" if cell == NULL_CELL else cell.removeprefix(NUL)


def _place(result: Result, batch: CellBatch, index: int) -> str:
    return f"{result.chunk_name or result.name}, {batch.location(index)}"
