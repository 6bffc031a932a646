"""What the partitioner `codebase` tells the assembler `codebase` of a chunk."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.contracts import Metadata


@dataclass(frozen=True, kw_only=True)
class TreeContent(Metadata):
    """Files of one tree, which may come from several sources: so it is no `Place`, and no source has parts.

    `packed` is "no" for one plain file, whose path in the tree is `path` and whose `languages` are known by its name,
    and "tar" for a tar of files; there `unit` is the path of the first of `units` folders or packages. `paths` are
    those of all `files`, or None where they are too many for a chunk's metadata.
    """

    packed: str
    files: int
    path: str | None = None
    paths: tuple[str, ...] | None = None
    languages: tuple[str, ...] = ()
    unit: str | None = None
    units: int = 1
