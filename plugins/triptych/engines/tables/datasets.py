"""Which results belong to one data set: a chunk's `fact.csv` and `customer.csv` are two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from triptych.engines.api import Result
from triptych.engines.streams.contents import unpacked_name
from triptych.harmless import harmless_logger

Datasets: TypeAlias = Literal["auto", "one", "by_name"]
SHOWN = 10
WHOLE = ""
"""Stands for the name where all results are one table: no file has it."""
_log = harmless_logger(__name__)


def datasets(
    results: Sequence[Result],
    wanted: Datasets,
    columns: Callable[[Result], Sequence[str]] | None = None,
    name_of: Callable[[Result], str] = lambda result: unpacked_name(result.name),
) -> Mapping[str, Sequence[Result]]:
    """Results by the name of their data set; all are WHOLE where they are one table.

    `auto`: a data set for each name, where chunks share names; one, where all have one name, or where each name is one
    chunk's own (`chunk_3.csv`) and all have the same columns, or some of these. Raises a result's error where neither
    is so: to put them together may mix tables, and not to may divide one. Without `columns` the caller sees to that.
    """
    if wanted == "one":
        return {WHOLE: results}
    named: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        named[name_of(result)].append(result)
    if wanted == "by_name":
        return named
    if len(named) <= 1:
        return {WHOLE: results}
    chunks = {result.chunk for result in results}
    if len(chunks) == 1 or any(len(found) > 1 for found in named.values()):
        _log.info("%d data sets, one for each name of results: %s", len(named), ", ".join(list(named)[:SHOWN]))
        return named
    if columns is not None:
        _refuse_other_columns(results, columns)
    return {WHOLE: results}


def _refuse_other_columns(results: Sequence[Result], columns: Callable[[Result], Sequence[str]]) -> None:
    seen = set(columns(results[0]))
    for result in results[1:]:
        own = set(columns(result))
        if not own <= seen and not own >= seen:
            text = f"has other columns than {results[0].label}, and its name is its chunk's alone."
            msg = f"{text} Say in params.assembler.datasets whether all results are one table: one, or by_name."
            raise result.error(msg)
        seen |= own
