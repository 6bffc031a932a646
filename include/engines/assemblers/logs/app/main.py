"""All results as one log in order of time; entries of one moment in order of their chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.logs.entries import BY_TIME, log_runs
from triptych.engines.sorting.external_merge import record_bytes, write_merged


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    def write(batches: Iterator[Any]) -> None:
        with output.open(params["name"]) as out:
            for batch in batches:
                out.write(record_bytes(batch))

    write_merged(write, list(log_runs(results, params)), BY_TIME)
