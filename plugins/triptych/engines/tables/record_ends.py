"""Where records end: a scan over blocks of bytes, aware of quotes, that copies nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from triptych.engines.arrays.bitmasks import prefix_xor, set_bits, to_words
from triptych.errors import SourceError

SCANNED_BYTES = 256 * 1024
NEWLINE, RETURN, QUOTE = 10, 13, 34  # As bytes are numbers here.


@dataclass(frozen=True)
class Limit:
    """When a run is full: at `records`, or with the record that brings it to `max_bytes`, whichever is first."""

    records: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class RecordRun:
    """`records` consecutive records in bytes [offset, offset + length); the header's bytes are [0, header_bytes)."""

    offset: int
    length: int
    records: int
    header_bytes: int


@dataclass(frozen=True)
class Ends:
    """`count` records end in a block of which the last byte is before offset `stop`."""

    count: int
    stop: int
    offsets: Callable[[], Any]
    """Works out the offsets just behind these records, ascending, as an int64 array."""


def record_runs(blocks: Iterable[bytes], uri: str, limit: Limit, *, quoted: bool, header: bool) -> Iterator[RecordRun]:
    """Group a source's records into runs; the last may hold fewer.

    A newline inside quotes belongs to its record (RFC 4180, 2.6) when `quoted`. A byte-order mark is part of the
    first record; the last record needs no newline. Raises SourceError when a quote is never closed.
    """
    header_bytes: int | None = None if header else 0
    start, records = 0, 0
    last: Ends | None = None
    for block in record_ends(blocks, uri, quoted=quoted):
        last = block
        if header_bytes is not None and not _fills(block, start, records, limit):
            records += block.count
            continue
        ends, begin = block.offsets(), 0
        if header_bytes is None:
            header_bytes = start = int(ends[0])
            begin = 1
        while begin < len(ends):
            wanted = _run_end(ends, begin, start, records, limit)
            if wanted is None:
                records += len(ends) - begin
                break
            end = int(ends[wanted])
            yield RecordRun(start, end - start, records + wanted - begin + 1, header_bytes)
            start, records, begin = end, 0, wanted + 1
    if last and records:
        yield RecordRun(start, int(last.offsets()[-1]) - start, records, header_bytes or 0)


def _fills(block: Ends, start: int, records: int, limit: Limit) -> bool:
    """Whether a run that began at `start` and has `records` so far can end in this block."""
    enough = limit.records is not None and records + block.count >= limit.records
    return enough or (limit.max_bytes is not None and block.stop >= start + limit.max_bytes)


def _run_end(ends: Any, begin: int, start: int, records: int, limit: Limit) -> int | None:
    """The index in `ends` of the record that fills the run, or None when none of these does."""
    found = []
    if limit.records is not None:
        found.append(begin + limit.records - records - 1)
    if limit.max_bytes is not None:
        found.append(int(ends.searchsorted(start + limit.max_bytes)))
    full = max(min(found), begin) if found else len(ends)
    return full if full < len(ends) else None


def record_ends(blocks: Iterable[bytes], uri: str, *, quoted: bool) -> Iterator[Ends]:
    """The record ends of each block that has any, in bounded memory."""
    import numpy as np

    offset, inside, opened, last = 0, False, 0, NEWLINE
    # One for all blocks: memory taken anew for each costs twice as much as looking at it.
    room = np.empty(0, np.bool_)
    for block in filter(None, blocks):
        data = np.frombuffer(block, np.uint8)
        room = room if len(room) >= len(data) else np.empty(len(data), np.bool_)
        mask = room[: len(data)]
        newlines = to_words(np.equal(data, NEWLINE, out=mask))
        if quoted and (inside or QUOTE in block):
            within, odd = _within_quotes(np.equal(data, QUOTE, out=mask))
            newlines &= within if inside else ~within
            inside ^= odd
            if inside and odd:
                opened = offset + block.rindex(QUOTE)
        offsets = partial(_behind, newlines, offset)
        offset += len(block)
        last = block[-1]
        if count := int(np.bitwise_count(newlines).sum()):
            yield Ends(count, offset, offsets)
    if inside:
        msg = f"{uri}: the quote opened at byte {opened} is never closed. Correct the file, or set format to 'lines'."
        raise SourceError(msg)
    if offset and last != NEWLINE:
        yield Ends(1, offset, lambda: np.array([offset]))


def _behind(bits: Any, offset: int) -> Any:
    """Behind each byte whose bit is set, from `offset` on."""
    return set_bits(bits) + (offset + 1)


def _within_quotes(quotes: Any) -> tuple[Any, bool]:
    """The bytes behind an odd number of quotes, of which this is the mask, as bits; and whether there are odd in all.

    A quote that is doubled inside quotes counts twice, so it changes nothing.
    """
    within = prefix_xor(to_words(quotes))
    # What is behind the end has the parity of all.
    return within, bool(within[-1] >> 63)


def places(mask: Any, among: Any) -> Any:
    """Where a mask of bytes is true and the bit of `among` is set, ascending."""
    bits = to_words(mask)
    return set_bits(bits & among[: len(bits)])


def outside_quotes(codes: Any) -> Any:
    """The bytes that are not inside quotes, as bits, for data that begins outside; a quote itself may be either."""
    return ~_within_quotes(codes == QUOTE)[0]


def split_records(blocks: Iterable[bytes], uri: str, *, quoted: bool) -> Iterator[bytes]:
    """Each record with its line end, which the last may lack; memory holds a block and a record."""
    held, first = bytearray(), 0

    def kept() -> Iterator[bytes]:
        for block in gathered(blocks, SCANNED_BYTES):
            held.extend(block)
            yield block

    for ends in record_ends(kept(), uri, quoted=quoted):
        start = first
        for end in ends.offsets().tolist():
            yield bytes(held[start - first : end - first])
            start = end
        del held[: start - first]
        first = start


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
