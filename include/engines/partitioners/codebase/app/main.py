"""A tree of source files, each kept file in exactly one chunk: as it is, or a few of them in a tar."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source, need, resources
from triptych.engines.archives.members import tar_of
from triptych.engines.codebase.trees import LANGUAGES, Ignored, TreeFile, in_version_control, open_tree, unit_of

MAX_LISTED_BYTES = 64 * 1024
"""Of paths in the metadata, which an app gets as an environment variable (at most 128 KiB)."""
IN_MEMORY_BYTES = 1024 * 1024
"""A chunk of at most that many needs no file in scratch."""
LANGUAGE_OF = {extension: name for name, extensions in LANGUAGES.items() for extension in extensions}


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    with open_tree(sources, params["input"]) as files:
        kept = list(filter(_wanted(files, params), files))
        if params["unit"] == "file" and params["target_mib"] is None and params["units_per_chunk"] in (None, 1):
            for file in kept:
                yield from _plain(file)
            return
        for index, (unit, batch) in enumerate(_batches(kept, params)):
            yield from _tar(index, unit, batch)


def _wanted(files: Sequence[TreeFile], params: Mapping[str, Any]) -> Callable[[TreeFile], bool]:
    patterns = need("pathspec", "documents").GitIgnoreSpec.from_lines
    ignored = Ignored(files) if params["gitignore"] else None
    include, exclude = patterns(params["include"]), patterns(params["exclude"])

    def wanted(file: TreeFile) -> bool:
        if in_version_control(file.path) or (ignored and ignored(file.path)):
            return False
        if params["languages"] and _language(file.path) not in params["languages"]:
            return False
        return (not params["include"] or include.match_file(file.path)) and not exclude.match_file(file.path)

    return wanted


def _language(path: str) -> str | None:
    return LANGUAGE_OF.get(PurePosixPath(path).suffix.lower())


def _batches(files: Sequence[TreeFile], params: Mapping[str, Any]) -> Iterator[tuple[str, list[TreeFile]]]:
    """The first unit's name and the files of each chunk; a unit is never divided."""
    max_bytes = params["target_mib"] and params["target_mib"] * 1024 * 1024
    max_units = params["units_per_chunk"] or (None if max_bytes else 1)
    key = unit_of(params["unit"], [file.path for file in files])
    batch: list[TreeFile] = []
    name, units, size = "", 0, 0
    for unit, group in groupby(sorted(files, key=lambda file: (key(file.path), file.path)), lambda f: key(f.path)):
        members = list(group)
        grown = size + sum(file.size for file in members)
        if units and (units == max_units or (max_bytes and grown > max_bytes)):
            yield name, batch
            batch, units, grown = [], 0, grown - size
        name = name if units else unit
        batch, units, size = [*batch, *members], units + 1, grown
    if batch:
        yield name, batch


def _plain(file: TreeFile) -> Iterator[Chunk]:
    about = {"path": file.path, "paths": [file.path], "files": 1, "packed": "no", "language": _language(file.path)}
    if file.offset is not None:
        runs = [(file.offset, file.size)] if file.size else []
        yield Chunk.of_ranges(file.source, runs, name=file.path, items=1, metadata=about)
        return
    if file.size <= IN_MEMORY_BYTES:
        yield Chunk.of_bytes(b"".join(file.blocks()), name=file.path, items=1, metadata=about)
        return
    path = resources().new_folder() / "file"
    with path.open("wb") as out:
        out.writelines(file.blocks())
    yield from _file(path, file.path, 1, about)


def _tar(index: int, unit: str, batch: Sequence[TreeFile]) -> Iterator[Chunk]:
    paths = [file.path for file in batch]
    listed = paths if len(json.dumps(paths, ensure_ascii=False).encode()) <= MAX_LISTED_BYTES else None
    about = {"unit": unit, "paths": listed, "files": len(paths), "packed": "tar"}
    path = resources().new_folder() / "tree.tar"
    with path.open("wb") as out:
        out.writelines(tar_of((file.path, file.size, file.blocks()) for file in batch))
    yield from _file(path, f"{index:05d}_{unit.replace('/', '_') or 'root'}.tar", len(paths), about)


def _file(path: Path, name: str, items: int, about: Mapping[str, Any]) -> Iterator[Chunk]:
    yield Chunk.of_file(path, name=name, items=items, metadata=about)
    path.unlink()
    path.parent.rmdir()
