"""What chunks of a table tell: which rows of their source they hold."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.contracts import Place


@dataclass(frozen=True)
class RowPlace(Place):
    """Rows [first_row, first_row + rows) of a source, counted from 0 behind the header, where there is one."""

    first_row: int
    rows: int
