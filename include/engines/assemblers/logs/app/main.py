"""All results as one log in order of time; entries of one moment in order of their chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.log_runs import BY_TIME, log_runs
from triptych.engines.merging import merged, record_bytes


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    names = [f"chunk {result.chunk}, {result.name!r}" for result in results]
    with output.open(params["name"]) as out:
        for batch in merged(log_runs(results, names, params), BY_TIME):
            out.write(record_bytes(batch))
