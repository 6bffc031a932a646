"""What tasks say of a record that they cannot count."""

from __future__ import annotations


class MeasureError(Exception):
    """Of the record with this index in its batch; the message is a sentence and the remedy."""

    def __init__(self, text: str, index: int) -> None:
        """`index` counts from 0."""
        super().__init__(text)
        self.index = index
