"""Languages of files by name, as the library identify knows them (pre-commit's `types`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from identify import identify

from triptych.errors import JobSpecError
from triptych.schemas.diagnostics import did_you_mean

NOT_BY_NAME = identify.TYPE_TAGS | identify.MODE_TAGS
KNOWN = identify.ALL_TAGS - NOT_BY_NAME
"""Tags that a file's name can give: `python`, `c++`, `ts`, `rst`, `makefile`, `text` ..."""


def tags_of(path: str) -> frozenset[str]:
    """All that the name says: `a/b.hpp` -> {"c++", "header", "text"}; nothing for a name that is not known."""
    return frozenset(identify.tags_from_filename(PurePosixPath(path).name))


def languages_of(path: str) -> list[str]:
    """The tags but for `text` and `binary`, in order: `a/b.hpp` -> ["c++", "header"]."""
    return sorted(tags_of(path) - identify.ENCODING_TAGS)


def check_languages(names: Iterable[str]) -> None:
    """Raises JobSpecError, with the nearest tag, for what is none."""
    for name in names:
        if name not in KNOWN:
            msg = (
                f"params.partitioner.languages: {name!r} is no tag of the library identify."
                f"{did_you_mean(name, sorted(KNOWN)) or ' `identify-cli FILE` prints those of a file.'}"
            )
            raise JobSpecError(msg)
