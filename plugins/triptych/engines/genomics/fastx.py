"""Where the records of FASTA and FASTQ end, and how many bases they hold: a scan over blocks that copies nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Octets, Offsets
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import BytesColumn
from triptych.engines.runtime.resources import resources
from triptych.errors import TriptychError

_NEWLINE, _RETURN, _FASTA, _FASTQ, _PLUS = 10, 13, 62, 64, 43


@dataclass(frozen=True)
class Records:
    """Consecutive records of one block, an element each.

    `ends` are the offsets in the file just behind them, `bases` how many bases the file has held up to there (int64).
    `headers` are their first lines without the mark, which a carriage return may end; not filled unless asked.
    """

    ends: Offsets
    bases: npt.NDArray[np.int64]
    headers: BytesColumn

    def __len__(self) -> int:
        return len(self.ends)

    def part(self, start: int, stop: int) -> Records:
        """Those of the indices from `start` to before `stop`."""
        return Records(self.ends[start:stop], self.bases[start:stop], self.headers[start:stop])


def _no_headers() -> BytesColumn:
    return pa.array([], pa.large_binary())


def fastq_records(blocks: Iterable[bytes], owner: Input, headers: bool = False) -> Iterator[Records]:
    """Records of FASTQ (Cock et al. 2010), with their headers if asked; the owner's error names the byte of none.

    Those of four lines are found all at once; where sequence or qualities are wrapped, a block is read line by line.
    The owner's error, too, for a record of four lines, or a line of a wrapped one, beyond `longest_line`.
    """
    scan = _FastqScan(owner, headers)
    for block in blocks:
        yield from scan.take(block)
    yield from scan.finish()


class _FastqScan:
    """Between blocks it keeps what is not whole yet: of a wrapped record the last line only.

    `_rest` begins at `_offset` in the file; `_bases` are those of all records before.
    """

    def __init__(self, owner: Input, headers: bool) -> None:
        self._owner, self._headers, self._lines = owner, headers, _LineReader(owner, headers)
        self._rest, self._offset, self._bases = b"", 0, 0

    def take(self, block: bytes) -> Iterator[Records]:
        """The records that end in this block."""
        data = self._rest + block
        codes = np.frombuffer(data, np.uint8)
        breaks = np.flatnonzero(codes == _NEWLINE)
        used = 0
        if self._lines.between_records:
            ends, lengths = _four_lines(codes, breaks)
            yield from self._records(ends, lengths, self._first_lines(data, ends, breaks))
            used = 4 * len(ends)
        if not self._lines.between_records or len(breaks) - used >= 4:
            yield from self._records(*self._lines.read(codes, breaks, used, self._offset))
            used = len(breaks)
        end = int(breaks[used - 1]) + 1 if used else 0
        self._rest, self._offset = data[end:], self._offset + end
        resources().longest_line(f"what begins at byte {self._offset}").check(len(self._rest), self._owner)

    def finish(self) -> Iterator[Records]:
        """The last record, whose last line may lack its end."""
        whole = self._rest + b"\n" * (not self._rest.endswith(b"\n"))
        codes = np.frombuffer(whole if self._rest else b"", np.uint8)
        breaks = np.flatnonzero(codes == _NEWLINE)
        if _RETURN in whole[:-2] and len(breaks) == 1 and not self._offset:
            text = "its lines end with carriage returns alone. Let newlines end them: tr '\\r' '\\n'."
            raise self._owner.error(text)
        ends, lengths, headers = self._lines.read(codes, breaks, 0, self._offset)
        self._lines.check_whole()
        yield from self._records(np.minimum(ends, len(self._rest)), lengths, headers)

    def _first_lines(self, data: bytes, ends: Offsets, breaks: Offsets) -> BytesColumn:
        """Headers of records of four lines that end at `ends`, the first of which begins where `data` does."""
        if not self._headers or not len(ends):
            return _no_headers()
        return slices(data, np.concatenate(([0], ends[:-1])) + 1, breaks[: 4 * len(ends) : 4])

    def _records(self, ends: Offsets, lengths: npt.NDArray[np.int64], headers: BytesColumn) -> Iterator[Records]:
        """`ends` are offsets in `_rest` and the block behind it, `lengths` the bases of each record."""
        if len(ends):
            yield Records(ends + self._offset, self._bases + lengths.cumsum(), headers)
            self._bases += int(lengths.sum())


def _four_lines(codes: Octets, breaks: Offsets) -> tuple[Offsets, npt.NDArray[np.int64]]:
    """Ends and bases of the records in `codes`, as long as they are of four lines; `breaks` are the lines' ends.

    b"@a\\nAC\\n+\\nII\\n@b\\n" has breaks [2, 5, 7, 10, 13] -> [11], [2].
    """
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


class _Line(Enum):
    """What the next line of a FASTQ is."""

    HEADER = auto()
    SEQUENCE = auto()
    """Or the one with + behind it."""
    QUALITIES = auto()


@dataclass
class _OpenRecord:
    """The record that is being read: its first byte, its header if asked, what it holds so far, and what follows."""

    start: int = 0
    header: bytes = b""
    bases: int = 0
    qualities: int = 0
    following: _Line = _Line.HEADER


class _LineReader:
    """Reads FASTQ line by line. Qualities end when they are as many as the bases: they may begin with @ or +, too."""

    def __init__(self, owner: Input, headers: bool) -> None:
        self._owner, self._headers, self._record = owner, headers, _OpenRecord()

    @property
    def between_records(self) -> bool:
        return self._record.following is _Line.HEADER

    def read(
        self, codes: Octets, breaks: Offsets, skipped: int, offset: int
    ) -> tuple[Offsets, npt.NDArray[np.int64], BytesColumn]:
        """Ends, in `codes`, bases and headers of the records that end in these lines, the first `skipped` left out.

        `codes` begin at `offset` in the file, `breaks` are the lines' ends in them.
        """
        starts = np.concatenate(([0], breaks + 1))[skipped:-1]
        returns = (codes[np.maximum(breaks - 1, 0)] == _RETURN)[skipped:]
        lengths = np.maximum(breaks[skipped:] - starts - returns, 0)
        ended, headers = [], []
        for start, first, length, end in zip(
            starts.tolist(), codes[starts].tolist(), lengths.tolist(), breaks[skipped:].tolist(), strict=True
        ):
            was_between = self.between_records
            if self._takes_last(first, length, offset + start):
                ended.append((end, self._record.bases))
                headers.append(self._record.header)
            elif self._headers and was_between and length:
                self._record.header = codes[start + 1 : start + length].tobytes()
        ends_and_bases = np.array(ended, np.int64).reshape(-1, 2)
        return ends_and_bases[:, 0] + 1, ends_and_bases[:, 1], pa.array(headers, pa.large_binary())

    def check_whole(self) -> None:
        """The owner's error when the file ends inside a record."""
        record = self._record
        if not self.between_records:
            text = (
                f"the last record, at byte {record.start}, ends after {record.bases} bases and "
                f"{record.qualities} qualities. Is the file cut off?"
            )
            raise self._owner.error(text)

    def _takes_last(self, first: int, length: int, offset: int) -> bool:
        """Take one line, of its first byte and length; true when it ends its record."""
        record = self._record
        if record.following is _Line.QUALITIES:
            record.qualities += length
            if record.qualities > record.bases:
                reason = f"it has {record.bases} bases and {record.qualities} qualities"
                raise self._no_fastq(reason)
            if record.qualities == record.bases:
                record.following = _Line.HEADER
            return record.following is _Line.HEADER
        if record.following is _Line.SEQUENCE:
            if first == _FASTQ:
                reason = "no line with + follows its sequence"
                raise self._no_fastq(reason)
            if first == _PLUS:
                record.following = _Line.QUALITIES
            else:
                record.bases += length
        elif length:
            self._record = _OpenRecord(offset, following=_Line.SEQUENCE)
            if first != _FASTQ:
                reason = "its first line does not begin with @"
                raise self._no_fastq(reason)
        return False

    def _no_fastq(self, reason: str) -> TriptychError:
        return self._owner.error(f"the record at byte {self._record.start} is no FASTQ: {reason}.")


@dataclass(frozen=True)
class _FastaCounts:
    """What of a FASTA file lies before a block: bytes, ends of lines, and bytes in header lines.

    All others are bases. `in_header` says whether the block begins inside a header, `last` which byte is before it;
    `header` is that of the record which is open, as far as it was read.
    """

    size: int = 0
    line_ends: int = 0
    headers: int = 0
    in_header: bool = False
    last: int = _NEWLINE
    header: bytes = b""

    @property
    def bases(self) -> int:
        return self.size - self.line_ends - self.headers


def fasta_records(blocks: Iterable[bytes], owner: Input, headers: bool = False) -> Iterator[Records]:
    """A line with > begins a record; its sequence may be as long as it likes, memory does not grow with it.

    Newlines end lines, carriage returns, or both. The owner's error when the file begins otherwise.
    """
    before = _FastaCounts()
    for block in filter(None, blocks):
        if not before.size and block[0] != _FASTA:
            text = "is no FASTA: its first byte is not '>'."
            raise owner.error(text)
        records, before = _fasta_block(block, before, headers)
        resources().longest_line("the header of a record").check(len(before.header), owner)
        if len(records):
            yield records
    if before.size:
        header = pa.array([before.header], pa.large_binary())
        yield Records(np.array([before.size]), np.array([before.bases]), header)


def _fasta_block(block: bytes, before: _FastaCounts, with_headers: bool) -> tuple[Records, _FastaCounts]:
    """The records that end in a block, each where the next one begins; and the counts behind the block.

    b">a\\nAC\\n>b\\nG" from the beginning: line ends at [2, 5, 8], starts [0, 6], whose headers end at [2, 8] and are
    [2, 2] bytes long. Before byte 6 lie 2 line ends and 2 bytes of headers: 2 bases. -> [6], [2], and counts of 10
    bytes, 3 line ends and 4 bytes of headers.
    """
    codes = np.frombuffer(block, np.uint8)
    breaks = np.flatnonzero((codes == _NEWLINE) | (codes == _RETURN))
    starts = _fasta_starts(codes, before.last)
    line_ends = np.searchsorted(breaks, starts)
    header_ends = np.append(breaks, len(block))[line_ends]
    headers = before.headers + _open_header(breaks, len(block), before) + _sums_before(header_ends - starts)
    ends = before.size + starts
    bases = ends - (before.line_ends + line_ends) - headers[:-1]
    # Nothing ends where the file begins.
    first = 0 if before.size else 1
    in_header = bool(line_ends[-1] == len(breaks)) if len(starts) else before.in_header and not len(breaks)
    texts = _fasta_headers(block, starts, header_ends, breaks, before) if with_headers else [b""]
    behind = _FastaCounts(
        before.size + len(block),
        before.line_ends + len(breaks),
        int(headers[-1]),
        in_header,
        int(codes[-1]),
        texts[-1],
    )
    ended = pa.array(texts[first:-1], pa.large_binary())
    return Records(ends[first:], bases[first:], ended), behind


def _fasta_headers(block: bytes, starts: Offsets, ends: Offsets, breaks: Offsets, before: _FastaCounts) -> list[bytes]:
    """Of the record that was open before the block, and of each that begins in it, without the mark."""
    open_header = before.header
    if before.in_header:
        open_header += block[: _open_header(breaks, len(block), before)]
    return [open_header, *(block[start + 1 : end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))]


def _fasta_starts(codes: Octets, last: int) -> Offsets:
    """Where > begins a line; `last` is the byte before."""
    marks: Offsets = np.flatnonzero(codes == _FASTA)
    before = np.where(marks > 0, codes[marks - 1], last)
    starts: Offsets = marks[(before == _NEWLINE) | (before == _RETURN)]
    return starts


def _open_header(breaks: Offsets, length: int, before: _FastaCounts) -> int:
    """How many bytes at the block's beginning belong to the header that was open before it."""
    if not before.in_header:
        return 0
    return int(breaks[0]) if len(breaks) else length


def _sums_before(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of those before each, and of all: [2, 3] -> [0, 2, 5]."""
    return np.concatenate(([0], np.cumsum(values)))
