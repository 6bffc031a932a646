"""Engines called without a job: sources and results in memory, chunks and output files as bytes."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.engine_harness import INCLUDE, Piece, Results
from tests.support.inputs import MemoryInput
from triptych.blocks import Block, Catalog, Role, read_catalog
from triptych.engines import Chunk, Result
from triptych.engines.api import Input
from triptych.engines.runtime.loading import loaded_engine
from triptych.engines.runtime.resources import Resources, using
from triptych.jobs.spec import block_params

MEMORY_BYTES = 1 << 26


@dataclass(frozen=True)
class MemoryResult(MemoryInput):
    """One file that a chunk left."""

    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chunk_name(self) -> str:
        return f"chunk {self.chunk}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def flat_name(self) -> str:
        return f"{self.chunk or 0:06d}_{self.name}"


class _MemoryFile(io.BytesIO):
    """One of them, as it is written."""

    def append(self, item: Input, first: int = 0, prefix: bytes = b"") -> bytes:
        data = b"".join(item.stream())[first:].removeprefix(prefix)
        self.write(data)
        return data[-1:]


class MemoryOutput:
    """The files that an assembler has made, by name."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @contextmanager
    def open(self, name: str) -> Iterator[_MemoryFile]:
        file = _MemoryFile()
        yield file
        self.files[name] = file.getvalue()

    def put_file(self, path: Path, name: str) -> None:
        self.files[name] = path.read_bytes()

    def copy(self, result: Result, name: str) -> None:
        self.files[name] = b"".join(result.stream())


def cut(engine: str, sources: Mapping[str, bytes], params: Mapping[str, Any]) -> list[Piece]:
    """The chunks of these sources, by name."""
    inputs = [MemoryInput(data, name=name, index=index) for index, (name, data) in enumerate(sources.items())]
    block = _block(Role.PARTITIONER, engine)
    with _resources(), loaded_engine(block, "partition") as partition:
        return [_piece(chunk, inputs) for chunk in partition(inputs, block_params(block, params))]


def joined(
    engine: str, pieces: Sequence[Piece], name: str, params: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The output files of results of that name, of which each is what its chunk was."""
    given = [Results({name: piece.data}, metadata=piece.metadata) for piece in pieces]
    return assembled(engine, given, params or {})


def assembled(engine: str, results: Sequence[Results], params: Mapping[str, Any]) -> dict[str, bytes]:
    """The output files of what chunks have left; chunk n has results[n]."""
    files = [
        MemoryResult(data, name=name, chunk=number, metadata=result.metadata)
        for number, result in enumerate(results)
        for name, data in sorted(result.files.items())
    ]
    block, output = _block(Role.ASSEMBLER, engine), MemoryOutput()
    with _resources(), loaded_engine(block, "assemble") as assemble:
        assemble(files, output, block_params(block, params))
    return output.files


def _piece(chunk: Chunk, inputs: Sequence[MemoryInput]) -> Piece:
    if chunk.ranges is not None:
        parts = [inputs[each.source].data[each.offset : each.offset + each.length] for each in chunk.ranges]
        data = chunk.prefix + b"".join(parts)
    else:
        data = chunk.path.read_bytes() if chunk.path else chunk.data or b""
    return Piece(chunk.name or "", data, chunk.items, chunk.metadata, chunk.ranges is None)


@contextmanager
def _resources() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as scratch, using(Resources(Path(scratch), MEMORY_BYTES)):
        yield


@cache
def _catalog() -> Catalog:
    return read_catalog([INCLUDE])


def _block(role: Role, engine: str) -> Block:
    return _catalog().find(role, engine)
