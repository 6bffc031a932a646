"""Sorting and merging more records than memory holds: sorted runs in scratch files, merged a bounded number at once."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from triptych.engines.resources import resources
from triptych.errors import EngineError
from triptych.storage.base import BLOCK_BYTES

RECORD_OVERHEAD_BYTES = 400
"""What a record takes in memory beside its bytes: two objects, its key, and its place in a list."""

Blocks: TypeAlias = Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Run:
    """A stream of records that can be read again; `what` names it in messages."""

    blocks: Blocks
    what: str


@dataclass(frozen=True)
class Order:
    """How to find records in a run's blocks, and what to compare of a record of that run."""

    split: Callable[[Run], Iterator[bytes]]
    key: Callable[[bytes, str], Any]


def merged(runs: Sequence[Run], order: Order, *, in_order: bool | None = None) -> Iterator[tuple[Any, bytes]]:
    """All records in order, each with its key; equal ones keep the order of the runs, and their order inside one.

    With `in_order` None each run is looked through first, and only those that are not in order are sorted. With True
    EngineError names the first run that is not.
    """
    ready: list[Run] = []
    for run in runs:
        if in_order or (in_order is None and _is_in_order(run, order)):
            ready.append(run)
        else:
            ready += _sorted_runs(run, order)
    at_once = max(2, resources().memory_bytes // (8 * BLOCK_BYTES))
    while len(ready) > at_once:
        groups = [ready[at : at + at_once] for at in range(0, len(ready), at_once)]
        ready = [_spilled((record for _, record in _merge(group, order)), group[0].what) for group in groups]
    yield from _merge(ready, order)


def _merge(runs: Sequence[Run], order: Order) -> Iterator[tuple[Any, bytes]]:
    return heapq.merge(*(_keyed(run, order) for run in runs), key=lambda pair: pair[0])


def _keyed(run: Run, order: Order) -> Iterator[tuple[Any, bytes]]:
    last: Any = None
    for record in order.split(run):
        key = order.key(record, run.what)
        if last is not None and key < last:
            msg = f"{run.what}: is not in order at {record[:60]!r}. Let the engine find out which results are."
            raise EngineError(msg)
        last = key
        yield key, record


def _is_in_order(run: Run, order: Order) -> bool:
    last: Any = None
    for record in order.split(run):
        key = order.key(record, run.what)
        if last is not None and key < last:
            return False
        last = key
    return True


def _sorted_runs(run: Run, order: Order) -> Iterator[Run]:
    """The run in pieces that fit into memory, each sorted."""
    records = order.split(run)
    while batch := list(_batch(records)):
        batch.sort(key=lambda record: order.key(record, run.what))
        yield _spilled(iter(batch), run.what)


def _batch(records: Iterator[bytes]) -> Iterator[bytes]:
    """Records up to a quarter of the memory: the batch before is still there while the next is read."""
    room = resources().memory_bytes // 4
    while room > 0:
        (record,) = tuple(islice(records, 1)) or (None,)
        if record is None:
            return
        room -= len(record) + RECORD_OVERHEAD_BYTES
        yield record


def _spilled(records: Iterator[bytes], what: str) -> Run:
    path = resources().new_folder() / "run"
    with path.open("wb", BLOCK_BYTES) as out:
        for record in records:
            out.write(record if record.endswith(b"\n") else record + b"\n")
    return Run(lambda: _blocks(path), what)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            yield block
