"""A unit's output as lines of bounded length: logged, kept in the unit's own log, the last few for an error."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from triptych.harmless import harmless, harmless_logger
from triptych.masking import HANDED_OUT
from triptych.storage import Writer

LAST_LINES = 20
"""How much of a failed unit's log its error repeats."""
MAX_LINE_BYTES = 8192
UNIT_LOG_BYTES = 16 << 20
"""A unit's own log holds no more than this, and then one line that says so."""
_log = harmless_logger(__name__)


class LineCutter:
    """Cuts one byte stream into lines; nobody's endless line fills our memory."""

    def __init__(self) -> None:
        self._rest = b""

    def lines(self, data: bytes) -> Iterator[str]:
        """The lines that are complete with this piece, or as long as a line may be."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        kept_back = HANDED_OUT.longest_bytes  # A secret that is cut in two would be masked in neither line.
        if len(self._rest) > MAX_LINE_BYTES + kept_back:
            whole = HANDED_OUT.masked_bytes(self._rest)
            end = max(0, len(whole) - kept_back)
            complete.append(whole[:end])
            self._rest = whole[end:]
        for line in complete:
            yield _text(line)

    def rest(self) -> Iterator[str]:
        """What came after the last line's end, if anything did."""
        if self._rest:
            yield _text(self._rest)
            self._rest = b""


class MarkedLines:
    """One stream's lines up to the one that begins with the marker, and to the empty one before it.

    The loop writes that empty line, so that its marker begins a line whatever a script wrote before.
    """

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._cutter = LineCutter()
        self._is_empty_held = False
        self.last: str | None = None
        """The marker's line, once it has come."""
        self.after = b""
        """What came after the marker's line, as far as anybody wants to know it."""

    def lines(self, data: bytes) -> Iterator[str]:
        """The script's lines that are complete with this piece."""
        for line in self._cutter.lines(data):
            if self.last is None:
                yield from self._told(line)
            else:
                self.skip(f"{line}\n".encode())
        if self.last is not None:
            for line in self._cutter.rest():
                self.skip(line.encode())

    def skip(self, data: bytes) -> None:
        """Take a piece that comes after the marker."""
        self.after = (self.after + data)[:MAX_LINE_BYTES]

    def rest(self) -> Iterator[str]:
        """What is still held when no marker comes any more."""
        if self.last is None:
            if self._is_empty_held:
                yield ""
            yield from self._cutter.rest()

    def _told(self, line: str) -> Iterator[str]:
        if line.startswith(self._marker):
            self.last = line
            return
        if self._is_empty_held:
            yield ""
        self._is_empty_held = not line
        if line:
            yield line


class LineLog:
    """Shows lines of one unit: in our log and in the unit's own."""

    def __init__(self, log: Writer | None = None, log_bytes: int = UNIT_LOG_BYTES) -> None:
        """`log` gets the lines that are shown, as long as these hold at most `log_bytes` together."""
        self._log = log
        self._log_left = log_bytes
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def show(self, line: str) -> None:
        """Log one line, made harmless, and keep it for `tail`."""
        line = harmless(line)
        self.last.append(line)
        _log.info("%s", line)
        self._keep(line)

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


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
