"""Where records end: a scan over blocks of bytes, aware of quotes, that copies nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Mask, Offsets, Words
from triptych.engines.arrays.bitmasks import set_bits, to_words
from triptych.engines.dialects.dialect import LINES, Dialect
from triptych.engines.dialects.quotes import NEWLINE, RETURN, QuoteScan, line_ends
from triptych.engines.runtime.resources import resources
from triptych.storage.copying import behind

SCANNED_BYTES = 256 * 1024


@dataclass(frozen=True)
class Limit:
    """When a run is full: at `records`, or with the record that brings it to `max_bytes`, whichever is first."""

    records: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class RecordRun:
    """`records` consecutive records in bytes [offset, offset + length)."""

    offset: int
    length: int
    records: int


@dataclass(frozen=True)
class Ends:
    """`count` records end in a block of which the last byte is before offset `stop`."""

    count: int
    stop: int
    offsets: Callable[[], Offsets]
    """Works out the offsets just behind these records, ascending: only where a run can end in the block."""


def record_runs(item: Input, limit: Limit, dialect: Dialect, *, first: int = 0) -> Iterator[RecordRun]:
    """Group the records from byte `first` on into runs; the last may hold fewer.

    A newline inside quotes belongs to its record (RFC 4180, 2.6); the last record needs none. Raises the item's error
    when a quote is never closed.
    """
    start, records = first, 0
    last: Ends | None = None
    advice = "Correct the file, or set format to 'lines'."
    for block in record_ends(from_byte(item, first), item, dialect, start=first, advice=advice):
        last = block
        if not _fills(block, start, records, limit):
            records += block.count
            continue
        ends, begin = block.offsets(), 0
        while begin < len(ends):
            full = _run_end(ends, begin, start, records, limit)
            if full is None:
                records += len(ends) - begin
                break
            end = int(ends[full])
            yield RecordRun(start, end - start, records + full - begin + 1)
            start, records, begin = end, 0, full + 1
    if last and records:
        # What is behind the last record, comments or none, goes along.
        yield RecordRun(start, max(item.size, int(last.offsets()[-1])) - start, records)


def from_byte(item: Input, first: int) -> Iterator[bytes]:
    """Its blocks without the first so many bytes."""
    return behind(item.stream(), first)


def _fills(block: Ends, start: int, records: int, limit: Limit) -> bool:
    """Whether a run that began at `start` and has `records` so far can end in this block."""
    enough = limit.records is not None and records + block.count >= limit.records
    return enough or (limit.max_bytes is not None and block.stop >= start + limit.max_bytes)


def _run_end(ends: Offsets, begin: int, start: int, records: int, limit: Limit) -> int | None:
    """The index in `ends` of the record that fills the run, or None when none of these does."""
    full_at = []
    if limit.records is not None:
        full_at.append(begin + limit.records - records - 1)
    if limit.max_bytes is not None:
        full_at.append(int(ends.searchsorted(start + limit.max_bytes)))
    full = max(min(full_at), begin) if full_at else len(ends)
    return full if full < len(ends) else None


def record_ends(
    blocks: Iterable[bytes], item: Input, dialect: Dialect = LINES, *, start: int = 0, advice: str = "Correct the file."
) -> Iterator[Ends]:
    """The record ends of each block that has any, in bounded memory; raises the item's error for an open quote.

    Offsets count from `start`, where the first block begins. A comment belongs to the record behind it.
    """
    offset, last, opened = start, NEWLINE, start
    scan, in_comment = QuoteScan(dialect), False
    # One for all blocks: memory taken anew for each costs twice as much as looking at it.
    buffer = np.empty(0, np.bool_)
    for block in whole(blocks, item, dialect):
        octets = np.frombuffer(block, np.uint8)
        buffer = buffer if len(buffer) >= len(octets) else np.empty(len(octets), np.bool_)
        mask = buffer[: len(octets)]
        ends = line_ends(block, octets, mask, cr=dialect.cr_ends)
        if (outside := scan.outside(block, octets, ends, mask)) is not None:
            ends &= outside
        if scan.opened >= 0:
            opened = offset + scan.opened
        if dialect.comment_prefix:
            ends, in_comment = _without_comments(block, ends, dialect.comment_prefix.encode())
        offsets = partial(_behind, ends, offset)
        offset += len(block)
        last = block[-1]
        if count := int(np.bitwise_count(ends).sum()):
            yield Ends(count, offset, offsets)
    if scan.inside:
        msg = f"the quote opened at byte {opened} is never closed. {advice}"
        raise item.error(msg)
    is_ended = last == NEWLINE or (last == RETURN and dialect.cr_ends)
    if offset > start and not is_ended and not in_comment:
        yield Ends(1, offset, lambda: np.array([offset]))


def whole(blocks: Iterable[bytes], item: Input, dialect: Dialect) -> Iterator[bytes]:
    """The same bytes; no block ends with half a CRLF or an escape, nor, where there are comments, inside a line.

    The item's error for a line beyond `longest_line`, where lines are held.
    """
    escape, held = dialect.escape_char.encode(), b""
    for block in blocks:
        data = held + block if held else block
        if dialect.comment_prefix:
            end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
            resources().longest_line("a line").check(len(data) - end, item)
        else:
            end = len(data) - (data.endswith(b"\r") and dialect.cr_ends)
            if escape:
                end -= (len(data) - len(data.rstrip(escape))) % 2
        held = data[end:]
        if end:
            yield data[:end] if held else data
    if held:
        yield held


def _without_comments(block: bytes, ends: Words, prefix: bytes) -> tuple[Words, bool]:
    """Without the ends of lines that begin with it; and whether one without an end does. The block begins a line."""
    behind = (set_bits(ends) + 1).tolist()
    comments = [end - 1 for begin, end in pairwise([0, *behind]) if block.startswith(prefix, begin)]
    kept = np.ones(len(block), np.bool_)
    kept[comments] = False
    return ends & to_words(kept), block.startswith(prefix, behind[-1] if behind else 0)


def _behind(words: Words, offset: int) -> Offsets:
    """Behind each byte whose bit is set, from `offset` on: [0b100], 64 -> [67]."""
    return set_bits(words) + (offset + 1)


def set_among(mask: Mask, among: Words) -> Offsets:
    """The indices of the bytes where the mask is true and whose bit in `among` is set, ascending."""
    words = to_words(mask)
    return set_bits(words & among[: len(words)])


def split_records(
    blocks: Iterable[bytes], item: Input, dialect: Dialect = LINES, *, scanned_bytes: int = SCANNED_BYTES
) -> Iterator[bytes]:
    """Each record with its line end, which the last may lack; blocks are put together to `scanned_bytes` at least.

    Memory holds a block and a record; one beyond `longest_line` is the item's error.
    """
    held, first = bytearray(), 0
    most = resources().longest_line()

    def kept() -> Iterator[bytes]:
        for block in gathered(blocks, scanned_bytes):
            if len(held) > most.bytes:
                raise resources().longest_line(f"the record at byte {first}").exceeded(item)
            held.extend(block)
            yield block

    for ends in record_ends(kept(), item, dialect):
        start = first
        for end in ends.offsets().tolist():
            yield bytes(held[start - first : end - first])
            start = end
        del held[: start - first]
        first = start


def first_record(item: Input, dialect: Dialect = LINES, start: int = 0) -> bytes:
    """The record that begins at this byte, with its line end; none at the end."""
    with item.open() as data:
        data.seek(start)
        blocks = iter(lambda: data.read(SCANNED_BYTES), b"")
        return next(split_records(blocks, item, dialect), b"")


def count_lines(data: bytes) -> int:
    """How many lines end in it: with a line feed, a carriage return, or both."""
    returns = data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0
    return data.count(b"\n") + returns


def gathered(pieces: Iterable[bytes], least: int) -> Iterator[bytes]:
    """Pieces as small as a record put together to blocks of at least so many bytes; the last may have fewer."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= least:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
