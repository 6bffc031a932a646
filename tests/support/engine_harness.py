"""Runs one engine through the real stages: what it cuts, what it joins, and how much memory that takes."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triptych.blocks import Role, Template, read_catalog
from triptych.jobs.job import Job, freeze, frozen_sources, open_job, resolve_sources, thaw
from triptych.jobs.spec import build_job_spec
from triptych.jobs.workspace import ChunkEntry, Commit
from triptych.settings import PROJECT, Settings
from triptych.stages import stages
from triptych.stages.transfer import ChunkReader
from triptych.storage.base import FileEntry

INCLUDE = PROJECT / "include"
SAMPLES = INCLUDE / "engines" / "samples"
_runs = itertools.count()
DAG = "engine"


@dataclass(frozen=True)
class Piece:
    """One chunk, with its bytes."""

    name: str
    data: bytes
    items: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    copied: bool = True


@dataclass(frozen=True)
class Results:
    """What one chunk left: files by name; name and metadata are the chunk's."""

    files: Mapping[str, bytes]
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def include_folders() -> list[Path]:
    """Ours, and those of TRIPTYCH_INCLUDE, as the command line reads it: engines of a user go through the suite too."""
    return [*map(Path, filter(None, os.environ.get("TRIPTYCH_INCLUDE", "").split(":"))), INCLUDE]


def engines(role: str) -> list[str]:
    """Names of those that come with Triptych: they have an example. Others in the same folder are a user's."""
    blocks = read_catalog([INCLUDE]).blocks
    return [block.name for block in blocks if block.role == role and (block.folder / "example.json").exists()]


def split(
    settings: Settings, engine: str, sources: Sequence[Path | str | dict[str, Any]], params: Mapping[str, Any]
) -> list[Piece]:
    """The chunks that a partitioner makes of these sources (local paths, URIs, or objects with a connection)."""
    job = split_only(settings, engine, sources, params)
    reader = ChunkReader(job, frozen_sources(job))
    return [
        Piece(entry.name, b"".join(reader.blocks(entry)), entry.items, entry.metadata, entry.ranges is None)
        for entry in job.workspace.chunks()
    ]


def split_only(
    settings: Settings,
    engine: str,
    sources: Sequence[Path | str | dict[str, Any]],
    params: Mapping[str, Any],
    run_id: str = "",
) -> Job:
    """The job after its stage `partition`."""
    conf = {"dataSource": [_uri(s) for s in sources] or None}
    job = _job(settings, _template(partitioner=engine), conf, params, run_id=run_id)
    stages.partition(job, print)
    return job


def entries_in_scratch(
    settings: Settings, engine: str, sources: Sequence[Path], params: Mapping[str, Any]
) -> list[int]:
    """How many files and folders lie in the scratch folder when each chunk has been made, and when the last is gone."""
    conf = {"dataSource": [_uri(s) for s in sources] or None}
    job = _job(settings, _template(partitioner=engine), conf, params)
    with stages.cut(job, resolve_sources(job), print) as made:
        counts = [sum(1 for _ in settings.scratch.rglob("*")) for _ in made]
        return [*counts, sum(1 for _ in settings.scratch.rglob("*"))]


def join(
    settings: Settings, engine: str, results: Sequence[Results], params: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The output files that an assembler makes, `output.json` left out; chunk n has results[n]."""
    job = finished(settings, engine, results, params or {})
    outcome = stages.assemble(thaw(job.settings, job.template, job.dag_id, job.run_id), print)
    folder = Path(outcome.uri.removeprefix("file://"))
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found.pop("output.json")
    return found


def untouched(pieces: Sequence[Piece], name: str = "output.bin") -> list[Results]:
    """What an app that changes nothing leaves."""
    return [Results({name: piece.data}, piece.name, piece.metadata) for piece in pieces]


def left_behind(settings: Settings) -> list[str]:
    """Scratch folders, and chunk lists that were not finished."""
    parts = settings.scratch.parent.rglob(".triptych-part-*")
    return [str(path) for path in (*settings.scratch.glob("*"), *parts)]


def peak_mib(engine: str, sources: Sequence[Path], params: Mapping[str, Any], settings: Settings) -> float:
    """The peak memory, in MiB, of a process that cuts these sources and stores the chunks."""
    return _peak({"engine": engine, "sources": [str(path) for path in sources], "params": dict(params)}, settings)


def join_peak_mib(engine: str, results: Sequence[Results], params: Mapping[str, Any], settings: Settings) -> float:
    """The peak memory, in MiB, of a process that joins these results."""
    return _peak({"engine": engine, "run_id": finished(settings, engine, results, params).run_id}, settings)


def _peak(given: dict[str, Any], settings: Settings) -> float:
    values = {
        "workspace": settings.workspace,
        "scratch": str(settings.scratch),
        "allowed_roots": ":".join(map(str, settings.allowed_roots)),
        "runner": "process",
        "engine_memory_mib": "64",
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.support.peak", json.dumps({**given, "settings": values})]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


def split_here(given: Mapping[str, Any], settings: Settings) -> None:
    """What the child of `peak_mib` does."""
    split_only(
        settings,
        given["engine"],
        [Path(path) for path in given["sources"]],
        given["params"],
        run_id=f"peak-{os.getpid()}-",
    )


def join_here(given: Mapping[str, Any], settings: Settings) -> None:
    """What the child of `join_peak_mib` does."""
    stages.assemble(thaw(settings, _template(assembler=given["engine"]), DAG, given["run_id"]), print)


def finished(settings: Settings, engine: str, results: Sequence[Results], params: Mapping[str, Any]) -> Job:
    """A job whose chunks are all committed."""
    job = _job(settings, _template(assembler=engine), {}, params, role="assembler")
    freeze(job, [])
    with job.workspace.store.writer(job.workspace.chunk_list_uri) as out:
        for number, result in enumerate(results):
            name = result.name or f"chunk_{number}"
            out.write(ChunkEntry(number, name, 0, sha256="", metadata=result.metadata).to_line())
    for number, result in enumerate(results):
        files = []
        for name, data in sorted(result.files.items()):
            job.workspace.store.put(job.workspace.result_uri(number, "1-x", name), data)
            files.append(FileEntry(name, len(data), hashlib.sha256(data).hexdigest()))
        job.workspace.commit(Commit(number, "1-x", tuple(files), 0.0))
    return job


def _template(partitioner: str = "passthrough", assembler: str = "passthrough") -> Template:
    catalog = read_catalog(include_folders())
    return dataclasses.replace(
        catalog.template("wordcount"),
        blocks={
            Role.PARTITIONER: catalog.find(Role.PARTITIONER, partitioner),
            Role.APP: catalog.find(Role.APP, "wordcount"),
            Role.ASSEMBLER: catalog.find(Role.ASSEMBLER, assembler),
        },
        params={},
    )


def _job(
    settings: Settings,
    template: Template,
    conf: dict[str, Any],
    params: Mapping[str, Any],
    role: str = "partitioner",
    run_id: str = "",
) -> Job:
    spec = build_job_spec(template, {**conf, "params": {role: dict(params)}})
    return open_job(settings, template, spec, DAG, f"{run_id}{next(_runs)}")


def _uri(source: Path | str | dict[str, Any]) -> str | dict[str, Any]:
    return source.as_uri() if isinstance(source, Path) else source
