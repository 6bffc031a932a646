"""Joins all results into one file."""

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """Results come by chunk number, then by name; they and the output are streams."""
    with output.open(params["name"]) as out:
        for result in results:
            for block in result.stream():
                out.write(block)
