"""Log files as runs of entries by time: a line with a timestamp, and those without that follow."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from itertools import islice
from typing import Any

from triptych.engines.api import Result, Source
from triptych.engines.arrays.slices import slices
from triptych.engines.logs.timestamps import KNOWN, Stamp, declared, time_zone
from triptych.engines.runtime.resources import need, resources
from triptych.engines.sorting.external_merge import Run, keyed
from triptych.engines.sorting.order import Order
from triptych.engines.streams.file_objects import BlockReader
from triptych.engines.tables.csv_batches import Batch, line_batches
from triptych.engines.tables.record_ends import split_records
from triptych.errors import EngineError

LOOKED_AT_LINES = 200
BLOCK_BYTES = 1024 * 1024
ENTRY_SHARE = 8
_GZIP = b"\x1f\x8b"
BY_TIME = Order(["ascending"])
"""The key is in microseconds since 1970."""


@dataclass(frozen=True)
class _Clock:
    """How times of a file are read."""

    stamp: Stamp
    zone: tzinfo
    year: int

    def times(self, lines: Any) -> tuple[Any, Any]:
        """Which lines have a timestamp, as a mask; and what it says, null where it is no time after all."""
        texts = self.stamp.texts(lines)
        return texts.is_valid(), self.stamp.read(texts.drop_null(), self.zone, self.year)


def log_runs(files: Sequence[Source | Result], names: Sequence[str], params: Any) -> Iterator[Run]:
    """Of each file that is not empty; EngineError when one has no timestamps."""
    zone, year = time_zone(params["time_zone"]), params["year"] or 1970
    clocks = [_Clock(stamp, zone, year) for stamp in map(declared, params["formats"])]
    clocks = clocks or [_Clock(stamp, zone, year) for stamp in KNOWN]
    for file, name in zip(files, names, strict=True):
        clock = _found(file, name, clocks)
        if clock is not None:
            yield Run(partial(_entries, file, name, clock), name)


def _blocks(file: Source | Result, name: str) -> Iterator[bytes]:
    """Unpacked, where the file is a gzip."""
    with file.open() as data:
        packed = data.read(2) == _GZIP
    if not packed:
        yield from file.stream()
        return
    try:
        with gzip.GzipFile(fileobj=BlockReader(file.stream())) as unpacked:
            while block := unpacked.read(BLOCK_BYTES):
                yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{name}: the gzip file cannot be unpacked: {error}."
        raise EngineError(msg) from error


def _found(file: Source | Result, name: str, clocks: Sequence[_Clock]) -> _Clock | None:
    """The one that reads most of the first lines; None for a file without lines."""
    pa = need("pyarrow", "tables")
    first = islice(split_records(_blocks(file, name), name, quoted=False), LOOKED_AT_LINES)
    lines = pa.array([line for line in first if line.strip()], pa.large_binary())
    if not len(lines):
        return None
    counts = [_count(clock, lines) for clock in clocks]
    if not max(counts):
        msg = (
            f"{name}: none of the first {len(lines)} lines has a timestamp of the forms "
            f"{', '.join(clock.stamp.name for clock in clocks)}. Declare its form in `formats`."
        )
        raise EngineError(msg)
    return clocks[counts.index(max(counts))]


def _count(clock: _Clock, lines: Any) -> int:
    _, keys = clock.times(lines)
    return len(keys) - int(keys.null_count)


def _entries(file: Source | Result, name: str, clock: _Clock) -> Iterator[Any]:
    """In batches; what comes before the first timestamp belongs to the first entry."""
    pa = need("pyarrow", "tables")
    open_entry, its_key = _OpenEntry(name), pa.array([], pa.int64())
    for batch in line_batches(_blocks(file, name), name):
        begins, keys = _stamped(batch, name, clock)
        if not len(its_key):
            its_key, keys, begins = keys[:1], keys[1:], begins[1:]
        if not len(keys):
            open_entry.add(batch.data)
            continue
        open_entry.add(batch.data[: begins[0]])
        yield _ended(batch, begins, open_entry.taken(), pa.concat_arrays([its_key, keys[:-1]]))
        its_key = keys[-1:]
        open_entry.add(batch.data[begins[-1] :])
    if len(its_key):
        yield keyed([its_key], open_entry.taken())


def _ended(batch: Batch, begins: Any, first: Any, keys: Any) -> Any:
    """The first entry, and those that begin here but for the last."""
    entries = [first, slices(batch.data, begins[:-1], begins[1:])]
    return keyed([keys], need("pyarrow", "tables").concat_arrays(entries))


def _stamped(batch: Batch, name: str, clock: _Clock) -> tuple[Any, Any]:
    """Where lines with a timestamp begin, and what it says."""
    lines = batch.records()
    mask, keys = clock.times(lines)
    if keys.null_count:
        line = lines.filter(mask).filter(keys.is_null())[0].as_py()
        msg = f"{name}: {line[:80]!r} has no timestamp of the form {clock.stamp.name}."
        raise EngineError(msg)
    return batch.starts[mask.to_numpy(zero_copy_only=False)], keys


class _OpenEntry:
    """The entry whose end has not been read."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        most = resources().memory_bytes // ENTRY_SHARE
        if self._size > most:
            msg = (
                f"{self._name}: the entry that begins {self._parts[0][:80]!r} is longer than {most >> 20} MiB. "
                "Declare the form of its timestamps in `formats`, or raise [triptych] engine_memory_mib."
            )
            raise EngineError(msg)

    def taken(self) -> Any:
        """As an array of one."""
        pa = need("pyarrow", "tables")
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        return pa.array([whole], pa.large_binary())
