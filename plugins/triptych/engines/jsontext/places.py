"""What chunks of JSON tell: which entries of their source they hold."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.contracts import Place


@dataclass(frozen=True)
class ItemPlace(Place):
    """Entries of a source from `first_item` on, counted from 0 over all arrays or objects at the path."""

    first_item: int
