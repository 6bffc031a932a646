"""A unit's output as lines of bounded length: logged, kept in the unit's own log, the last few for an error."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

from triptych.storage import Writer

LAST_LINES = 20
"""How much of a failed unit's log its error repeats."""
MAX_LINE_BYTES = 8192
UNIT_LOG_BYTES = 16 << 20
"""A unit's own log holds no more than this, and then one line that says so."""
_log = logging.getLogger(__name__)


class LineLog:
    """Cuts a byte stream into lines and logs them; nobody's endless line fills our memory."""

    def __init__(self, log: Writer | None = None, log_bytes: int = UNIT_LOG_BYTES) -> None:
        """Each line that is shown goes to `log`, too, as long as these hold at most `log_bytes` together."""
        self._rest = b""
        self._log = log
        self._log_left = log_bytes
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
        self._keep(line)

    def finish(self) -> None:
        """Show what came after the last line's end."""
        if self._rest:
            self.show(self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def _keep(self, line: str) -> None:
        """Write it to the unit's own log. One that cannot be written ends there: a log decides no outcome."""
        if self._log is None:
            return
        data = f"{line}\n".encode("utf-8", "replace")
        try:
            if len(data) <= self._log_left:
                self._log_left -= len(data)
                self._log.write(data)
                return
            self._log.write(b"(The log is cut here: it is longer than is kept of one chunk.)\n")
        except OSError as error:
            _log.warning("The log of this chunk ends here: %s", error)
        self._log = None

    def tail(self) -> str:
        """The last LAST_LINES lines, for the end of an error's message."""
        shown = "\n".join(f"  | {line}" for line in self.last)
        return f"\nLast lines of its log:\n{shown}" if shown else " It wrote nothing to its log."
