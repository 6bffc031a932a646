"""Every result as one file of the output, in the folders in which the app wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    names = output_names([(result.chunk, result.name) for result in results])
    for result, name in zip(results, names, strict=True):
        output.copy(result, name)


def output_names(results: Sequence[tuple[int, str]]) -> list[str]:
    """A name of its own for each (chunk, name), in order: `a/x.txt` stays `a/x.txt` where it is the only one.

    Where several chunks wrote it, or one wrote a file where another has a folder, the file's own name gets its chunk's
    number in front: `a/000003_x.txt`.
    """
    counts = Counter(name for _, name in results)
    folders = {str(folder) for _, name in results for folder in PurePosixPath(name).parents}
    kept = {name for name, count in counts.items() if count == 1 and name not in folders}
    taken, names = kept | folders, []
    for chunk, name in results:
        names.append(name if name in kept else _numbered(chunk, PurePosixPath(name), taken))
        taken.add(names[-1])
    return names


def _numbered(chunk: int, path: PurePosixPath, taken: set[str]) -> str:
    """The path with the number before its last part, and with more `_` until nobody has it."""
    last = f"{chunk:06d}_{path.name}"
    while str(path.with_name(last)) in taken:
        last = f"_{last}"
    return str(path.with_name(last))
