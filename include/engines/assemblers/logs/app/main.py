"""All results as one log in order of time; entries of one moment in order of their chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.merging import merged
from triptych.engines.timestamps import log_runs


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    names = [f"chunk {result.chunk}, {result.name!r}" for result in results]
    runs, order = log_runs(results, names, params)
    with output.open(params["name"]) as out:
        for _, entry in merged(runs, order):
            out.write(entry)
