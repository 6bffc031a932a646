"""Where records end: a scan over blocks of bytes, aware of quotes, that copies nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from triptych.errors import SourceError

_NEWLINE, _QUOTE = 10, 34


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


def record_runs(blocks: Iterable[bytes], uri: str, limit: Limit, *, quoted: bool, header: bool) -> Iterator[RecordRun]:
    """Group a source's records into runs; the last may hold fewer.

    A newline inside quotes belongs to its record (RFC 4180, 2.6) when `quoted`. A byte-order mark is part of the
    first record; the last record needs no newline. Raises SourceError when a quote is never closed.
    """
    header_bytes: int | None = None if header else 0
    start, records, end = 0, 0, 0
    for ends in record_ends(blocks, uri, quoted=quoted):
        begin = 0
        if header_bytes is None and len(ends):
            header_bytes = start = int(ends[0])
            begin = 1
        while begin < len(ends):
            wanted = _run_end(ends, begin, start, records, limit)
            if wanted is None:
                records += len(ends) - begin
                break
            end = int(ends[wanted])
            yield RecordRun(start, end - start, records + wanted - begin + 1, header_bytes or 0)
            start, records, begin = end, 0, wanted + 1
        end = int(ends[-1]) if len(ends) else end
    if records:
        yield RecordRun(start, end - start, records, header_bytes or 0)


def _run_end(ends: Any, begin: int, start: int, records: int, limit: Limit) -> int | None:
    """The index in `ends` of the record that fills the run, or None when none of these does."""
    found = []
    if limit.records is not None:
        found.append(begin + limit.records - records - 1)
    if limit.max_bytes is not None:
        found.append(int(ends.searchsorted(start + limit.max_bytes)))
    full = max(min(found), begin) if found else len(ends)
    return full if full < len(ends) else None


def record_ends(blocks: Iterable[bytes], uri: str, *, quoted: bool) -> Iterator[Any]:
    """For each block, the offsets just behind the records that end in it, as an int64 array; bounded memory."""
    import numpy as np

    offset, inside, opened, last = 0, False, 0, _NEWLINE
    for block in blocks:
        data = np.frombuffer(block, np.uint8)
        if not len(data):
            continue
        newlines = np.flatnonzero(data == _NEWLINE)
        quotes = np.flatnonzero(data == _QUOTE) if quoted and _QUOTE in block else newlines[:0]
        if len(quotes) or inside:
            # A newline ends a record when an even number of quotes stands before it; "" inside counts twice.
            before = np.searchsorted(quotes, newlines) + inside
            newlines = newlines[before % 2 == 0]
            inside_after = bool((len(quotes) + inside) % 2)
            if inside_after and len(quotes):
                opened = offset + int(quotes[-1])
            inside = inside_after
        yield newlines + (offset + 1)
        offset += len(data)
        last = int(data[-1])
    if inside:
        msg = f"{uri}: the quote opened at byte {opened} is never closed. Correct the file, or set format to 'lines'."
        raise SourceError(msg)
    if offset and last != _NEWLINE:
        yield np.array([offset])
