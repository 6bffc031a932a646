"""What a partitioner would cut, without a job: nothing is stored, nothing runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.blocks import Block
from triptych.jobs.sources import resolve_sources
from triptych.jobs.spec import block_params, source_locations
from triptych.settings import Settings
from triptych.stages.chunk_list import chunk_name, chunk_size
from triptych.stages.partition import cut
from triptych.stages.sessions import BlockRunner, workbench
from triptych.storage import Stores


@dataclass(frozen=True)
class Cut:
    """One chunk that would be made; `size` in bytes; `copied` tells whether it would be stored in the workspace."""

    number: int
    name: str
    size: int
    copied: bool
    items: int | None
    metadata: Mapping[str, Any]


def preview(settings: Settings, engine: Block, sources: Sequence[Any], params: Mapping[str, Any]) -> Iterator[Cut]:
    """Every chunk in order; raises what the stage `partition` would raise.

    `sources` are those of a job spec: URIs, objects with `uri` and `conn_id`, descriptors.
    """
    checked = block_params(engine, params)
    stores = Stores(settings)
    entries = resolve_sources(source_locations(list(sources) or None), stores)
    runner = BlockRunner(settings, job_id="preview")
    with workbench(settings) as work, cut(engine, checked, entries, stores, runner, work) as made:
        for number, chunk in enumerate(made):
            name, size, copied = chunk_name(number, chunk), chunk_size(chunk), chunk.ranges is None
            yield Cut(number, name, size, copied, chunk.items, chunk.metadata)
