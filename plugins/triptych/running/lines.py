"""A block's output as lines, of bounded length, and the last few of them for an error."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from triptych.running.spec import LAST_LINES

MAX_LINE_BYTES = 8192


class LineLog:
    """Cuts a byte stream into lines; nobody's endless line fills our memory."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._rest = b""
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def lines(self, data: bytes) -> Iterator[str]:
        """The lines that are complete with this piece."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            complete.append(self._rest)
            self._rest = b""
        for line in complete:
            yield line.decode("utf-8", "replace").rstrip("\r")

    def show(self, line: str) -> None:
        self.last.append(line)
        self._log(line)

    def finish(self) -> None:
        if self._rest:
            self.show(self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def tail(self) -> str:
        shown = "\n".join(f"  | {line}" for line in self.last)
        return f"\nLast lines of its log:\n{shown}" if shown else " It wrote nothing to its log."
