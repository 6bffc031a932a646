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
    """Four lines each (Cock et al. 2010, without wrapped lines); SourceError names the byte where one is not so."""
    import numpy as np

    rest, offset, bases = b"", 0, 0
    for block in blocks:
        data = rest + block
        codes = np.frombuffer(data, np.uint8)
        lines = np.flatnonzero(codes == _NEWLINE)
        count = len(lines) // 4
        if count:
            found = _whole_fastq(codes, lines[: 4 * count].reshape(-1, 4), offset, uri)
            yield Records(found.ends + offset, found.bases + bases)
            bases += int(found.bases[-1])
            rest = data[int(found.ends[-1]) :]
            offset += int(found.ends[-1])
        else:
            rest = data
    if not rest.strip():
        return
    whole = rest if rest.endswith(b"\n") else rest + b"\n"
    lines = np.flatnonzero(np.frombuffer(whole, np.uint8) == _NEWLINE)
    if len(lines) != 4:
        msg = f"{uri}: the last record, at byte {offset}, has {len(lines)} of 4 lines. Is the file cut off?"
        raise SourceError(msg)
    found = _whole_fastq(np.frombuffer(whole, np.uint8), lines.reshape(1, 4), offset, uri)
    yield Records(np.array([offset + len(rest)]), found.bases + bases)


def _whole_fastq(codes: Any, lines: Any, offset: int, uri: str) -> Records:
    """Records that lie in `codes`, given the newline at the end of each of their four lines."""
    import numpy as np

    ends = lines[:, 3] + 1
    starts = np.concatenate(([0], ends[:-1]))
    wrong = (codes[starts] != _FASTQ) | (codes[lines[:, 1] + 1] != _PLUS)
    returns = (codes[np.maximum(lines[:, 1] - 1, 0)] == _RETURN).astype(np.int64)
    lengths = lines[:, 1] - lines[:, 0] - 1 - returns
    last_returns = (codes[np.maximum(lines[:, 3] - 1, 0)] == _RETURN).astype(np.int64)
    wrong |= lengths != lines[:, 3] - lines[:, 2] - 1 - last_returns
    if wrong.any():
        at = offset + int(starts[int(wrong.argmax())])
        msg = (
            f"{uri}: the record at byte {at} is no FASTQ: four lines, the first with @, the third with +, "
            "and as many qualities as bases."
        )
        raise SourceError(msg)
    return Records(ends, np.cumsum(lengths))


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
