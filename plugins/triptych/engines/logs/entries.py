"""Log files as runs of entries by time: a line with a timestamp, and those without that follow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Offsets
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import BytesColumn, MaskColumn
from triptych.engines.logs.timestamps import KNOWN, TimestampForm, declared_form
from triptych.engines.runtime.resources import resources
from triptych.engines.sorting.external_merge import BatchSource, keyed
from triptych.engines.sorting.order import Order
from triptych.engines.streams.file_objects import BlockReader
from triptych.engines.streams.unpacking import HEAD_BYTES, packing_of, unpacked
from triptych.engines.tables.csv_batches import Batch, line_batches
from triptych.engines.tables.record_ends import split_records
from triptych.engines.times.zones import find_zone

LOOKED_AT_LINES = 200
"""By which a file's form of timestamp is chosen."""
BY_TIME = Order(["ascending"])
"""Of the runs: their key is in microseconds since 1970, UTC."""


@dataclass(frozen=True)
class _Clock:
    """How the times of a file are read: their form, and the zone and year of those that name none."""

    form: TimestampForm
    zone: tzinfo
    year: int

    def times(self, lines: BytesColumn) -> tuple[MaskColumn, pa.Int64Array]:
        """Which lines have a timestamp; and what each of those says, null where it is no time after all."""
        texts = self.form.texts(lines)
        return texts.is_valid(), self.form.parse(texts.drop_null(), self.year).utc(self.zone)


def log_runs(files: Sequence[Input], params: Mapping[str, Any]) -> Iterator[BatchSource]:
    """The entries of each file that is not empty, to be sorted `BY_TIME`; the file's error when it has no timestamps.

    `params` are `formats` (strptime's; without them the known forms are tried), `time_zone` and `year`.
    """
    zone, year = find_zone(params["time_zone"]), params["year"] or 1970
    forms = [declared_form(format) for format in params["formats"]] or KNOWN
    for file in files:
        clock = _most_fitting(file, [_Clock(form, zone, year) for form in forms])
        if clock is not None:
            yield partial(_entries, file, clock)


def _blocks(file: Input) -> Iterator[bytes]:
    """Unpacked, where the file is packed."""
    with file.open() as data:
        packing = packing_of(data.read(HEAD_BYTES))
    if packing is None:
        yield from file.stream()
        return
    yield from unpacked(file, io.BufferedReader(BlockReader(file.stream())), packing)


def _most_fitting(file: Input, clocks: Sequence[_Clock]) -> _Clock | None:
    """The one that reads most of the first lines; None for a file without lines."""
    first = islice(split_records(_blocks(file), file, quoted=False), LOOKED_AT_LINES)
    lines = pa.array([line for line in first if line.strip()], pa.large_binary())
    if not len(lines):
        return None
    counts = [_readable(clock, lines) for clock in clocks]
    if not max(counts):
        text = (
            f"none of the first {len(lines)} lines has a timestamp of the forms "
            f"{', '.join(clock.form.name for clock in clocks)}. Declare its form in `formats`."
        )
        raise file.error(text)
    return clocks[counts.index(max(counts))]


def _readable(clock: _Clock, lines: BytesColumn) -> int:
    _, times = clock.times(lines)
    return len(times) - int(times.null_count)


def _entries(file: Input, clock: _Clock) -> Iterator[pa.RecordBatch]:
    """In batches; what comes before the first timestamp belongs to the first entry."""
    entry = _OpenEntry(file)
    for batch in line_batches(_blocks(file), file):
        starts, times = _stamped(file, batch, clock)
        if not len(entry.time):
            entry.time, starts, times = times[:1], starts[1:], times[1:]
        if not len(times):
            entry.add(batch.data)
            continue
        entry.add(batch.data[: starts[0]])
        yield keyed(
            [pa.concat_arrays([entry.time, times[:-1]])],
            pa.concat_arrays([entry.ended(), slices(batch.data, starts[:-1], starts[1:])]),
        )
        entry.time = times[-1:]
        entry.add(batch.data[starts[-1] :])
    if len(entry.time):
        yield keyed([entry.time], entry.ended())


def _stamped(file: Input, batch: Batch, clock: _Clock) -> tuple[Offsets, pa.Int64Array]:
    """Where lines with a timestamp begin in the batch's data, and what each says."""
    lines = batch.records()
    mask, times = clock.times(lines)
    if times.null_count:
        line = lines.filter(mask).filter(times.is_null())[0].as_py()
        text = f"{line[:80]!r} has no timestamp of the form {clock.form.name}."
        raise file.error(text)
    starts: Offsets = batch.starts[mask.to_numpy(zero_copy_only=False)]
    return starts, times


@dataclass
class _OpenEntry:
    """The entry whose end has not been read: its time, in an array of one (none before the first timestamp)."""

    file: Input
    time: pa.Int64Array = field(default_factory=lambda: pa.array([], pa.int64()))
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, part: bytes) -> None:
        """Bytes that follow; the file's error when the entry is longer than a line may be."""
        self._parts.append(part)
        self._size += len(part)
        most = resources().longest_line()
        if self._size > most.bytes:
            most = resources().longest_line(f"the entry that begins {self._parts[0][:80]!r}")
            raise most.exceeded(self.file, "Declare the form of its timestamps in `formats`.")

    def ended(self) -> BytesColumn:
        """Its bytes, as an array of one; the next entry's begin behind them."""
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        return pa.array([whole], pa.large_binary())
