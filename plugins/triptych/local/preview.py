"""What a partitioner would cut, without a job: nothing is stored, nothing runs."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Role, Template
from triptych.engines import Chunk
from triptych.jobs.job import open_job, resolve_sources
from triptych.jobs.spec import build_job_spec
from triptych.settings import Settings
from triptych.stages import stages


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
    """Every chunk in order; raises what the stage `partition` would raise."""
    nothing = Block(Role.APP, "preview", "1.0", engine.folder)
    blocks = {Role.PARTITIONER: engine, Role.APP: nothing, Role.ASSEMBLER: nothing}
    template = Template("preview", "", blocks, {}, None, None, {}, None, engine.folder)
    spec = build_job_spec(template, {"dataSource": list(sources) or None, "params": {"partitioner": params}})
    with tempfile.TemporaryDirectory() as folder:
        own = dataclasses.replace(settings, workspace=Path(folder).as_uri(), workspace_conn_id=None)
        job = open_job(own, template, spec, "preview", "preview")
        with stages.cut(job, resolve_sources(job), lambda _: None) as made:
            for number, chunk in enumerate(made):
                yield Cut(
                    number,
                    chunk.name or f"chunk_{number}",
                    _size(chunk),
                    chunk.ranges is None,
                    chunk.items,
                    chunk.metadata,
                )


def _size(chunk: Chunk) -> int:
    if chunk.path is not None:
        return chunk.path.stat().st_size
    return len(chunk.data or b"") + len(chunk.prefix) + sum(run.length for run in chunk.ranges or ())
