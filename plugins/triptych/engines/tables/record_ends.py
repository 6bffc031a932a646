"""Where records end: a scan over blocks of bytes, aware of quotes, that copies nothing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Mask, Octets, Offsets, Words
from triptych.engines.arrays.bitmasks import prefix_xor, set_bits, to_words
from triptych.engines.runtime.resources import resources
from triptych.engines.tables import formats

SCANNED_BYTES = 256 * 1024
NEWLINE, RETURN, QUOTE = ord("\n"), ord("\r"), ord(formats.QUOTE)  # As bytes are numbers here.


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
    offsets: Callable[[], Offsets]
    """Works out the offsets just behind these records, ascending: only where a run can end in the block."""


def record_runs(item: Input, limit: Limit, *, quoted: bool, header: bool) -> Iterator[RecordRun]:
    """Group the records of a file into runs; the last may hold fewer.

    A newline inside quotes belongs to its record (RFC 4180, 2.6) when `quoted`. A byte-order mark is part of the
    first record; the last record needs no newline. Raises the item's error when a quote is never closed.
    """
    header_bytes: int | None = None if header else 0
    start, records = 0, 0
    last: Ends | None = None
    advice = "Correct the file, or set format to 'lines'."
    for block in record_ends(item.stream(), item, quoted=quoted, advice=advice):
        last = block
        if header_bytes is not None and not _fills(block, start, records, limit):
            records += block.count
            continue
        ends, begin = block.offsets(), 0
        if header_bytes is None:
            header_bytes = start = int(ends[0])
            begin = 1
        while begin < len(ends):
            full = _run_end(ends, begin, start, records, limit)
            if full is None:
                records += len(ends) - begin
                break
            end = int(ends[full])
            yield RecordRun(start, end - start, records + full - begin + 1, header_bytes)
            start, records, begin = end, 0, full + 1
    if last and records:
        yield RecordRun(start, int(last.offsets()[-1]) - start, records, header_bytes or 0)


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
    blocks: Iterable[bytes], item: Input, *, quoted: bool, advice: str = "Correct the file."
) -> Iterator[Ends]:
    """The record ends of each block that has any, in bounded memory; raises the item's error for an open quote."""
    offset, inside, opened, last = 0, False, 0, NEWLINE
    # One for all blocks: memory taken anew for each costs twice as much as looking at it.
    buffer = np.empty(0, np.bool_)
    for block in filter(None, blocks):
        octets = np.frombuffer(block, np.uint8)
        buffer = buffer if len(buffer) >= len(octets) else np.empty(len(octets), np.bool_)
        mask = buffer[: len(octets)]
        newlines = to_words(np.equal(octets, NEWLINE, out=mask))
        if quoted and (inside or QUOTE in block):
            within, odd = _within_quotes(np.equal(octets, QUOTE, out=mask))
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
        msg = f"the quote opened at byte {opened} is never closed. {advice}"
        raise item.error(msg)
    if offset and last != NEWLINE:
        yield Ends(1, offset, lambda: np.array([offset]))


def _behind(words: Words, offset: int) -> Offsets:
    """Behind each byte whose bit is set, from `offset` on: [0b100], 64 -> [67]."""
    return set_bits(words) + (offset + 1)


def _within_quotes(quotes: Mask) -> tuple[Words, bool]:
    """The bytes behind an odd number of quotes, of which this is the mask, as bits; and whether there are odd in all.

    Of `a,"b""c",d` those from the first quote up to the one before `c` are inside, but for the second; `c` is, and what
    is behind the last quote is not: a quote that is doubled counts twice, so it changes nothing behind it.
    """
    within = prefix_xor(to_words(quotes))
    # What is behind the end has the parity of all.
    return within, bool(within[-1] >> 63)


def set_among(mask: Mask, among: Words) -> Offsets:
    """The indices of the bytes where the mask is true and whose bit in `among` is set, ascending."""
    words = to_words(mask)
    return set_bits(words & among[: len(words)])


def outside_quotes(octets: Octets) -> Words:
    """The bytes that are not inside quotes, as bits, for data that begins outside; a quote itself may be either."""
    return ~_within_quotes(octets == QUOTE)[0]


def split_records(
    blocks: Iterable[bytes], item: Input, *, quoted: bool, scanned_bytes: int = SCANNED_BYTES
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

    for ends in record_ends(kept(), item, quoted=quoted):
        start = first
        for end in ends.offsets().tolist():
            yield bytes(held[start - first : end - first])
            start = end
        del held[: start - first]
        first = start


def header_record(item: Input, *, quoted: bool = True) -> bytes:
    """The first record that is no empty line, with its line end; none of an empty file."""
    records = split_records(item.stream(), item, quoted=quoted)
    return next((record for record in records if record.strip(b"\r\n")), b"")


def header_names(header: bytes, delimiter: str, item: Input) -> list[str]:
    """The names in a header as it is, without the byte-order mark; none in an empty one."""
    try:
        text = header.removeprefix(b"\xef\xbb\xbf").decode().rstrip("\r\n")
        return next(csv.reader([text], delimiter=delimiter), [])
    except (UnicodeDecodeError, csv.Error) as error:
        reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
        text = f"the header {header[:60]!r} is no UTF-8: {reason}. Convert the file first."
        raise item.error(text) from error


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
