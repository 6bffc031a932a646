"""Sorting and merging more records than memory holds: sorted runs in scratch files, merged a bounded number at once.

A batch is a pyarrow RecordBatch: first the columns that order it, last `record`; what is between them goes along.
"""

from __future__ import annotations

import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from triptych.engines.arrays.text_columns import joined_bytes
from triptych.engines.runtime.resources import need, resources, using
from triptych.engines.sorting.order import Order
from triptych.errors import EngineError

PIECE_SHARE = 128
"""What is written and read back at once; there is one of each run that is merged."""
RUN_MEMORY_BYTES = 16 * 1024 * 1024
"""What one run takes while it is merged: a batch, and what it was read from."""
SORTED_SHARE = 8
"""What is sorted at once is there twice, beside its order and what is being read."""


@dataclass(frozen=True)
class Run:
    """A stream of batches that can be read again; `what` names it in messages."""

    batches: Callable[[], Iterable[Any]]
    what: str


def keyed(keys: Sequence[Any], records: Any, **along: Any) -> Any:
    """A batch of these arrays."""
    arrays = {**{f"key{at}": key for at, key in enumerate(keys)}, **along, "record": records}
    return need("pyarrow", "tables").record_batch(list(arrays.values()), list(arrays))


def record_bytes(batch: Any) -> bytes:
    """Its records back to back."""
    return joined_bytes(batch.column("record"))


class NotInOrderError(EngineError):
    """A run that is taken to be in order is not."""


def write_merged(write: Callable[[Iterator[Any]], None], runs: Sequence[Run], order: Order) -> None:
    """write(all records in order), which is begun again when a run turns out not to be in order.

    So runs that are in order are read once; most of those that are not show it at their beginning.
    """
    folder = resources().new_folder()
    with suppress(NotInOrderError), using(replace(resources(), scratch=folder)):
        write(merged(runs, order, in_order=True))
        return
    shutil.rmtree(folder)
    write(merged(runs, order))


def merged(runs: Iterable[Run], order: Order, *, in_order: bool | None = None) -> Iterator[Any]:
    """All records in order, in batches; equal ones keep the order of the runs, and their order inside one.

    With `in_order` None each run is looked through first, and only those that are not in order are sorted. With True
    NotInOrderError names the first run that is not.
    """
    ready = list(_ready(runs, order, in_order))
    at_once = max(2, resources().memory_bytes // RUN_MEMORY_BYTES)
    while len(ready) > at_once:
        groups = [ready[at : at + at_once] for at in range(0, len(ready), at_once)]
        ready = [_spilled(_merge(group, order), group[0].what) for group in groups]
    yield from _merge(ready, order)


def _ready(runs: Iterable[Run], order: Order, in_order: bool | None) -> Iterator[Run]:
    """Runs in order; those that were not are gathered, across their borders, to as much as is sorted at once."""
    gathered: list[Any] = []
    size, what = 0, ""
    for run in runs:
        if in_order:
            yield Run(partial(_held_to_order, run, order), run.what)
        elif in_order is None and not any(fault is not None for _, fault in _faults(run, order)):
            if gathered:
                yield _spilled(_sorted_pieces(gathered, order), what)
            size = 0
            yield run
        else:
            for batch in run.batches():
                gathered.append(batch)
                size, what = size + batch.nbytes, run.what
                if size > resources().memory_bytes // SORTED_SHARE:
                    yield _spilled(_sorted_pieces(gathered, order), what)
                    size = 0
    if gathered:
        # The last ones need no file.
        yield Run(partial(_sorted_pieces, gathered, order), what)


def _faults(run: Run, order: Order) -> Iterator[tuple[Any, int | None]]:
    """Each batch, with the number of its first record that ought to be before the one in front of it."""
    last: Any = None
    for batch in run.batches():
        if len(batch):
            falls = order.falls(batch)
            if last is not None and order.key(batch, 0) < last:
                yield batch, 0
            else:
                yield batch, int(falls.argmax()) + 1 if falls.any() else None
            last = order.key(batch, len(batch) - 1)


def _held_to_order(run: Run, order: Order) -> Iterator[Any]:
    for batch, fault in _faults(run, order):
        if fault is not None:
            record = batch.column("record")[fault].as_py()
            msg = f"{run.what}: is not in order at {record[:60]!r}. Let the engine find out which results are."
            raise NotInOrderError(msg)
        yield batch


def _sorted_pieces(gathered: list[Any], order: Order) -> Iterator[Any]:
    """The batches, which are taken out of the list, in order and in small pieces."""
    whole = need("pyarrow", "tables").concat_batches(gathered)
    gathered.clear()
    places = order.sorted_places(whole)
    step = _piece_length(whole)
    for start in range(0, len(whole), step):
        piece = slice(start, start + step)
        yield whole[piece] if places is None else whole.take(places[piece])


def _spilled(batches: Iterator[Any], what: str) -> Run:
    """In a file, which is removed when it has been read."""
    pa = need("pyarrow", "tables")
    path = resources().new_folder() / "run"
    first = next(batches)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, first.schema) as out:
        out.write_batch(first)
        for batch in batches:
            out.write_batch(batch)
    pa.default_memory_pool().release_unused()
    return Run(partial(_read_back, path), what)


def _read_back(path: Path) -> Iterator[Any]:
    pa = need("pyarrow", "tables")
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as batches:
        yield from batches
    path.unlink()


def _merge(runs: Sequence[Run], order: Order) -> Iterator[Any]:
    """Window by window: what cannot have anything before it in the batches that are still to be read."""
    sources = [_pieces(run.batches()) for run in runs]
    heads = {place: head for place, source in enumerate(sources) if (head := next(source, None)) is not None}
    while len(heads) > 1:
        bound, bounding = min((order.key(head, len(head) - 1), place) for place, head in heads.items())
        window = []
        for place, head in list(heads.items()):
            # The batch behind the bounding one may begin with its key: equal records of later runs wait.
            bisect = bisect_right if place <= bounding else bisect_left
            count = bisect(range(len(head)), bound, key=partial(order.key, head))
            window.append(head[:count])
            heads[place] = head[count:] if count < len(head) else next(sources[place], None)
        heads = {place: head for place, head in heads.items() if head is not None}
        yield from _sorted_pieces(window, order)
    for place, head in heads.items():
        yield head
        yield from sources[place]


def _pieces(batches: Iterable[Any]) -> Iterator[Any]:
    """What a window takes of a run is copied while it is put in order."""
    for batch in batches:
        step = _piece_length(batch)
        for start in range(0, len(batch), step):
            yield batch[start : start + step]


def _piece_length(batch: Any) -> int:
    wanted = resources().memory_bytes // PIECE_SHARE
    return max(1, int(len(batch) * wanted // max(1, batch.nbytes)))
