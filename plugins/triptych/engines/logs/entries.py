"""Log files as runs of entries by time: a line with a timestamp, and those without that follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Microseconds, Offsets
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import BytesColumn
from triptych.engines.dialects.record_ends import split_records
from triptych.engines.logs.stamps import Clock, fitted
from triptych.engines.logs.timestamps import KNOWN, TimestampForm, declared_form
from triptych.engines.runtime.resources import resources
from triptych.engines.sorting.external_merge import BatchSource, keyed
from triptych.engines.sorting.order import Order
from triptych.engines.streams.contents import as_text, in_quotes
from triptych.engines.tables.csv_batches import Batch, line_batches
from triptych.engines.times.zones import find_zone

LOOKED_AT_LINES = 200
"""By which a file's form of timestamp is chosen."""
BY_TIME = Order(["ascending", "ascending"])
"""Of the runs: their keys are microseconds since 1970, UTC, and the nanoseconds beyond these."""


def log_runs(files: Sequence[Input], params: Mapping[str, Any]) -> Iterator[BatchSource]:
    """The entries of each file that is not empty, to be sorted `BY_TIME`; the file's error when it has no timestamps.

    `params` are `formats` (strptime's; without them the known forms are tried), `time_zone` and `year`.
    """
    zone, year = find_zone(params["time_zone"]), params["year"] or 1970
    forms = [declared_form(format) for format in params["formats"]] or list(KNOWN)
    for file in files:
        text, _ = as_text(file)
        clock = _fitting(text, forms, Clock(forms, zone, year, _start(file)))
        if clock is not None:
            yield partial(_entries, text, clock)


def _start(file: Input) -> datetime | None:
    """When the window began that a result was cut from, as `log_times` tells."""
    try:
        found = datetime.fromisoformat(str(getattr(file, "metadata", {}).get("start")))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _fitting(file: Input, forms: Sequence[TimestampForm], clock: Clock) -> Clock | None:
    """With the form that reads most of the first lines, and beside it the others; None for a file without lines."""
    first = islice(split_records(file.stream(), file), LOOKED_AT_LINES)
    lines = pa.array([line for line in first if line.strip()], pa.large_binary())
    if not len(lines):
        return None
    counts = [replace(clock, forms=[form]).count(lines) for form in forms]
    if not max(counts):
        text = (
            f"none of the first {len(lines)} lines has a timestamp of the forms "
            f"{', '.join(form.name for form in forms)}. Declare its form in `formats`."
        )
        raise file.error(text)
    main = forms[counts.index(max(counts))]
    return replace(clock, forms=fitted(main, lines, forms))


def _entries(file: Input, clock: Clock) -> Iterator[pa.RecordBatch]:
    """In batches; what comes before the first timestamp belongs to the first entry."""
    # It goes on from line to line, and what is sorted may be read twice.
    entry, clock = _OpenEntry(file), replace(clock)
    for batch in line_batches(file.stream(), file):
        starts, times = _stamped(file, batch, clock)
        if not len(entry.time):
            entry.time, starts, times = times[:1], starts[1:], times[1:]
        if not len(times):
            entry.add(batch.data)
            continue
        entry.add(batch.data[: starts[0]])
        yield keyed(
            _keys(np.concatenate([entry.time, times[:-1]])),
            pa.concat_arrays([entry.ended(), slices(batch.data, starts[:-1], starts[1:])]),
        )
        entry.time = times[-1:]
        entry.add(batch.data[starts[-1] :])
    if len(entry.time):
        yield keyed(_keys(entry.time), entry.ended())


def _keys(times: Microseconds) -> list[pa.Int64Array]:
    return [pa.array(column) for column in times.T]


def _stamped(file: Input, batch: Batch, clock: Clock) -> tuple[Offsets, Microseconds]:
    """Where lines with a timestamp begin in the batch's data, and what each says, in two columns."""
    lines = batch.records()
    stamps = clock.stamps(lines)
    wrong = np.flatnonzero(stamps.mask & ~stamps.readable)
    if len(wrong):
        line = lines[int(wrong[0])].as_py()
        text = f"{in_quotes(line[:80])} has no timestamp of the form {clock.forms[0].name}."
        raise file.error(text)
    starts: Offsets = batch.starts[stamps.mask]
    return starts, np.stack([stamps.times[stamps.mask], stamps.nanoseconds[stamps.mask]], axis=1)


@dataclass
class _OpenEntry:
    """The entry whose end has not been read: its time, an array of one row (none before the first timestamp)."""

    file: Input
    time: Microseconds = field(default_factory=lambda: np.empty((0, 2), np.int64))
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, part: bytes) -> None:
        """Bytes that follow; the file's error when the entry is longer than a line may be."""
        self._parts.append(part)
        self._size += len(part)
        most = resources().longest_line()
        if self._size > most.bytes:
            most = resources().longest_line(f"the entry that begins {in_quotes(self._parts[0][:80])}")
            raise most.exceeded(self.file, "Declare the form of its timestamps in `formats`.")

    def ended(self) -> BytesColumn:
        """Its bytes, as an array of one; the next entry's begin behind them."""
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        return pa.array([whole], pa.large_binary())
