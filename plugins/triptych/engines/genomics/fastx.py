"""Where the records of FASTA and FASTQ end, and how many bases they hold: a scan over blocks that copies nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from triptych.errors import SourceError

_NEWLINE, _RETURN, _FASTA, _FASTQ, _PLUS = 10, 13, 62, 64, 43


@dataclass(frozen=True)
class Records:
    """Consecutive records of one block: int64 arrays of one item each.

    `ends` are the offsets just behind them, `bases` how many bases the source has held up to there.
    """

    ends: Any
    bases: Any


def fastq_records(blocks: Iterable[bytes], uri: str) -> Iterator[Records]:
    """Records of FASTQ (Cock et al. 2010); SourceError names the byte where one is none.

    Those of four lines are found all at once; where sequence or qualities are wrapped, a block is read line by line.
    """
    scan = _Fastq(uri)
    for block in blocks:
        yield from scan.take(block)
    yield from scan.finish()


class _Fastq:
    """Between blocks it keeps what is not whole yet: of a wrapped record the last line only."""

    def __init__(self, uri: str) -> None:
        self._lines = _Lines(uri)
        self._rest, self._offset, self._bases = b"", 0, 0

    def take(self, block: bytes) -> Iterator[Records]:
        import numpy as np

        data = self._rest + block
        codes = np.frombuffer(data, np.uint8)
        breaks = np.flatnonzero(codes == _NEWLINE)
        used = 0
        if self._lines.between_records:
            ends, lengths = _four_lines(codes, breaks)
            yield from self._records(ends, lengths)
            used = 4 * len(ends)
        if not self._lines.between_records or len(breaks) - used >= 4:
            yield from self._records(*self._lines.read(codes, breaks, used, self._offset))
            used = len(breaks)
        end = int(breaks[used - 1]) + 1 if used else 0
        self._rest, self._offset = data[end:], self._offset + end

    def finish(self) -> Iterator[Records]:
        import numpy as np

        # The last line may lack its end.
        whole = self._rest + b"\n" * (not self._rest.endswith(b"\n"))
        codes = np.frombuffer(whole if self._rest else b"", np.uint8)
        breaks = np.flatnonzero(codes == _NEWLINE)
        ends, lengths = self._lines.read(codes, breaks, 0, self._offset)
        self._lines.check_whole()
        yield from self._records(np.minimum(ends, len(self._rest)), lengths)

    def _records(self, ends: Any, lengths: Any) -> Iterator[Records]:
        if len(ends):
            yield Records(ends + self._offset, self._bases + lengths.cumsum())
            self._bases += int(lengths.sum())


def _four_lines(codes: Any, breaks: Any) -> tuple[Any, Any]:
    """Ends and bases of the records in `codes`, as long as they are of four lines; `breaks` are the lines' ends."""
    import numpy as np

    lines = breaks[: len(breaks) // 4 * 4].reshape(-1, 4)
    ends = lines[:, 3] + 1
    starts = np.concatenate(([0], ends[:-1]))[: len(ends)]
    returns = (codes[np.maximum(lines[:, 1] - 1, 0)] == _RETURN).astype(np.int64)
    lengths = lines[:, 1] - lines[:, 0] - 1 - returns
    last_returns = (codes[np.maximum(lines[:, 3] - 1, 0)] == _RETURN).astype(np.int64)
    wrong = (codes[starts] != _FASTQ) | (codes[lines[:, 1] + 1] != _PLUS)
    wrong |= lengths != lines[:, 3] - lines[:, 2] - 1 - last_returns
    sound = int(wrong.argmax()) if wrong.any() else len(ends)
    return ends[:sound], lengths[:sound]


class _Lines:
    """Reads FASTQ line by line. Qualities end when they are as many as the bases: they may begin with @ or +, too."""

    def __init__(self, uri: str) -> None:
        self._uri, self._start, self._bases, self._qualities = uri, 0, 0, 0
        self._take = self._header

    @property
    def between_records(self) -> bool:
        return self._take == self._header

    def read(self, codes: Any, breaks: Any, skipped: int, offset: int) -> tuple[Any, Any]:
        """Ends, in `codes`, and bases of the records that end in these lines, the first `skipped` left out."""
        import numpy as np

        starts = np.concatenate(([0], breaks + 1))[skipped:-1]
        returns = (codes[np.maximum(breaks - 1, 0)] == _RETURN)[skipped:]
        lengths = np.maximum(breaks[skipped:] - starts - returns, 0)
        ended = [
            (end, self._bases)
            for start, first, length, end in zip(
                starts.tolist(), codes[starts].tolist(), lengths.tolist(), breaks[skipped:].tolist(), strict=True
            )
            if self._take(first, length, offset + start)
        ]
        found = np.array(ended, np.int64).reshape(-1, 2)
        return found[:, 0] + 1, found[:, 1]

    def check_whole(self) -> None:
        if not self.between_records:
            msg = (
                f"{self._uri}: the last record, at byte {self._start}, ends after {self._bases} bases and "
                f"{self._qualities} qualities. Is the file cut off?"
            )
            raise SourceError(msg)

    def _header(self, first: int, length: int, at: int) -> bool:
        """Take one line; true when it ends a record. The same holds for `_sequence` and `_quality`."""
        if length:
            self._start, self._bases, self._qualities = at, 0, 0
            self._take = self._sequence
            if first != _FASTQ:
                why = "its first line does not begin with @"
                raise self._fault(why)
        return False

    def _sequence(self, first: int, length: int, at: int) -> bool:
        if first == _FASTQ:
            why = "no line with + follows its sequence"
            raise self._fault(why)
        if first == _PLUS:
            self._take = self._quality
        else:
            self._bases += length
        return False

    def _quality(self, first: int, length: int, at: int) -> bool:
        self._qualities += length
        if self._qualities > self._bases:
            why = f"it has {self._bases} bases and {self._qualities} qualities"
            raise self._fault(why)
        if self._qualities == self._bases:
            self._take = self._header
        return self.between_records

    def _fault(self, why: str) -> SourceError:
        return SourceError(f"{self._uri}: the record at byte {self._start} is no FASTQ: {why}.")


def fasta_records(blocks: Iterable[bytes], uri: str) -> Iterator[Records]:
    """A line with > begins a record; its sequence may be as long as it likes, memory does not grow with it."""
    import numpy as np

    offset, before, line_ends, headers, open_header = 0, _NEWLINE, 0, 0, -1
    begun = False
    for block in filter(None, blocks):
        codes = np.frombuffer(block, np.uint8)
        breaks = np.flatnonzero((codes == _NEWLINE) | (codes == _RETURN))
        marks = np.flatnonzero(codes == _FASTA)
        starts = marks[np.where(marks > 0, codes[marks - 1], before) == _NEWLINE]
        if not begun and (len(starts) == 0 or starts[0] != 0):
            msg = f"{uri}: is no FASTA: its first byte is not '>'."
            raise SourceError(msg)
        begun = True
        if open_header >= 0 and len(breaks):
            headers += offset + int(breaks[0]) - open_header
            open_header = -1
        header_ends = np.searchsorted(breaks, starts)
        closed = header_ends < len(breaks)
        lengths = np.zeros(len(starts), np.int64)
        lengths[closed] = breaks[header_ends[closed]] - starts[closed]
        if len(starts) and not closed[-1]:
            open_header = offset + int(starts[-1])
        # Bases up to a start: all bytes but line ends and the headers before it.
        seen = headers + np.concatenate(([0], np.cumsum(lengths)))[:-1] if len(starts) else lengths
        bases = offset + starts - (line_ends + header_ends) - seen
        if offset == 0:
            starts, bases = starts[1:], bases[1:]
        if len(starts):
            yield Records(starts + offset, bases)
        headers += int(lengths.sum())
        line_ends += len(breaks)
        offset += len(block)
        before = int(codes[-1])
    if begun:
        headers += offset - open_header if open_header >= 0 else 0
        yield Records(np.array([offset]), np.array([offset - line_ends - headers]))
