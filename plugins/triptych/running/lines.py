"""A block's output as lines, of bounded length, and the last few of them for an error."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

LAST_LINES = 20
"""How much of a failed unit's log its error repeats."""
MAX_LINE_BYTES = 8192
_log = logging.getLogger(__name__)


class LineLog:
    """Cuts a byte stream into lines and logs them; nobody's endless line fills our memory."""

    def __init__(self) -> None:
        self._rest = b""
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def lines(self, data: bytes) -> Iterator[str]:
        """The lines that are complete with this piece, or as long as a line may be."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            complete.append(self._rest)
            self._rest = b""
        for line in complete:
            yield line.decode("utf-8", "replace").rstrip("\r")

    def show(self, line: str) -> None:
        """Log one line, and keep it for `tail`."""
        self.last.append(line)
        _log.info("%s", line)

    def finish(self) -> None:
        """Show what came after the last line's end."""
        if self._rest:
            self.show(self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def tail(self) -> str:
        """The last LAST_LINES lines, for the end of an error's message."""
        shown = "\n".join(f"  | {line}" for line in self.last)
        return f"\nLast lines of its log:\n{shown}" if shown else " It wrote nothing to its log."
