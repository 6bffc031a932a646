"""Every result as one file of the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    for result in results:
        output.copy(result, result.flat_name)
