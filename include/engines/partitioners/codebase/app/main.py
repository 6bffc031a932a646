"""A tree of source files, each kept file in exactly one chunk: as it is, or a few of them in a tar."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.archives.members import tar_of
from triptych.engines.archives.tree import TreeFile, open_tree
from triptych.engines.codebase.content import TreeContent
from triptych.engines.codebase.gitignore import GitIgnore, in_version_control
from triptych.engines.codebase.languages import check_languages, languages_of, tags_of
from triptych.engines.codebase.patterns import GitPatterns
from triptych.engines.codebase.units import unit_of

MAX_LISTED_BYTES = 64 * 1024
"""Of paths in the metadata, which an app gets as an environment variable (at most 128 KiB)."""
IN_MEMORY_BYTES = 1024 * 1024
"""A chunk of at most that many needs no file in scratch."""


@dataclass(frozen=True)
class Batch:
    """The files of one chunk: those of `units` units, of which the first is `unit`."""

    unit: str
    units: int
    files: list[TreeFile]


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    check_languages(params["languages"])
    with open_tree(sources, params["input"]) as files:
        kept = list(filter(_wanted(files, params), files))
        if params["unit"] == "file" and params["target_mib"] is None and params["items_per_chunk"] in (None, 1):
            for file in kept:
                yield from _plain(file)
            return
        for index, batch in enumerate(_batches(kept, params)):
            yield from _tar(index, batch)


def _wanted(files: Sequence[TreeFile], params: Mapping[str, Any]) -> Callable[[TreeFile], bool]:
    git = GitIgnore(files if params["gitignore"] else ())
    include, exclude = GitPatterns(params["include"]), GitPatterns(params["exclude"])
    languages = frozenset(params["languages"])

    def wanted(file: TreeFile) -> bool:
        if in_version_control(file.path) or git.ignores(file.path):
            return False
        if languages and languages.isdisjoint(tags_of(file.path)):
            return False
        return (not params["include"] or include.choose(file.path)) and not exclude.choose(file.path)

    return wanted


def _batches(files: Sequence[TreeFile], params: Mapping[str, Any]) -> Iterator[Batch]:
    """The files of each chunk, by unit and path; a unit is never divided."""
    max_bytes = params["target_mib"] and params["target_mib"] * 1024 * 1024
    max_units = params["items_per_chunk"] or (None if max_bytes else 1)
    key = unit_of(params["unit"], [file.path for file in files])
    batch, size = Batch("", 0, []), 0
    for unit, group in groupby(sorted(files, key=lambda file: (key(file.path), file.path)), lambda f: key(f.path)):
        members = list(group)
        unit_bytes = sum(file.size for file in members)
        if batch.units and (batch.units == max_units or (max_bytes and size + unit_bytes > max_bytes)):
            yield batch
            batch, size = Batch("", 0, []), 0
        batch = replace(batch, unit=batch.unit if batch.units else unit, units=batch.units + 1)
        batch.files.extend(members)
        size += unit_bytes
    if batch.units:
        yield batch


def _plain(file: TreeFile) -> Iterator[Chunk]:
    languages = tuple(languages_of(file.path))
    content = TreeContent(packed="no", files=1, path=file.path, paths=(file.path,), languages=languages)
    metadata = content.to_metadata()
    if file.offset is not None:
        runs = [(file.offset, file.size)] if file.size else []
        yield Chunk.of_ranges(file.source, runs, name=file.path, items=1, metadata=metadata)
        return
    if file.size <= IN_MEMORY_BYTES:
        yield Chunk.of_bytes(b"".join(file.blocks()), name=file.path, items=1, metadata=metadata)
        return
    path = resources().new_folder() / "file"
    with path.open("wb") as out:
        out.writelines(file.blocks())
    yield from _file(path, file.path, content)


def _tar(index: int, batch: Batch) -> Iterator[Chunk]:
    paths = tuple(file.path for file in batch.files)
    listed = paths if len(json.dumps(paths, ensure_ascii=False).encode()) <= MAX_LISTED_BYTES else None
    content = TreeContent(packed="tar", files=len(paths), paths=listed, unit=batch.unit, units=batch.units)
    path = resources().new_folder() / "tree.tar"
    with path.open("wb") as out:
        out.writelines(tar_of((file.path, file.size, file.blocks()) for file in batch.files))
    yield from _file(path, f"{index:05d}_{batch.unit.replace('/', '_') or 'root'}.tar", content)


def _file(path: Path, name: str, content: TreeContent) -> Iterator[Chunk]:
    yield Chunk.of_file(path, name=name, items=content.units, metadata=content.to_metadata())
    path.unlink()
    path.parent.rmdir()
