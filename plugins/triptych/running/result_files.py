"""What a container left, judged before it is read: regular files only, within limits. Nothing here follows a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import ChunkError
from triptych.settings import Settings


@dataclass(frozen=True)
class ResultLimits:
    """The most files, and the most bytes of all together, that one run of a script may leave."""

    files: int
    bytes: int

    @classmethod
    def of(cls, settings: Settings) -> ResultLimits:
        """Those that are configured as `max_result_files` and `max_result_gib`."""
        return cls(settings.max_result_files, settings.max_result_bytes)


@dataclass(frozen=True)
class FoundFile:
    """A regular file that a script left: its path here, its name relative to the folder, with `/`, and its bytes."""

    path: Path
    name: str
    size: int


class Admission:
    """Admits the files of one run, one by one; ChunkError at the first that is refused."""

    def __init__(self, limits: ResultLimits | None) -> None:
        """Counts nothing where `limits` is None."""
        self._limits = limits
        self._files = self._bytes = 0

    def admit(self, name: str, size: int, *, is_regular: bool, is_link: bool) -> None:
        """Count one file of `size` bytes; refuses links, special files, and what goes beyond the limits."""
        if not is_regular:
            shape = "a link" if is_link else "no regular file"
            msg = f"the result {name!r} is {shape}, which is refused. Write a copy of the file instead."
            raise ChunkError(msg)
        self._files, self._bytes = self._files + 1, self._bytes + size
        limits = self._limits
        if limits and (self._files > limits.files or self._bytes > limits.bytes):
            msg = (
                f"more than {limits.files} files or {limits.bytes >> 30} GiB of results. Write fewer, or raise "
                "[triptych] max_result_files or max_result_gib."
            )
            raise ChunkError(msg)


def result_files(folder: Path, limits: ResultLimits | None) -> list[FoundFile]:
    """What a script wrote below `folder`, by name; ChunkError where `Admission` refuses one."""
    admission = Admission(limits)
    found: list[FoundFile] = []
    for path in _below(folder):
        status = path.lstat()
        name = path.relative_to(folder).as_posix()
        is_regular, is_link = stat.S_ISREG(status.st_mode), stat.S_ISLNK(status.st_mode)
        admission.admit(name, status.st_size, is_regular=is_regular, is_link=is_link)
        found.append(FoundFile(path, name, status.st_size))
    return sorted(found, key=lambda file: file.name)


def _below(folder: Path) -> Iterator[Path]:
    """Everything but folders; os.walk lists a link to a folder among the folders, and does not enter it."""
    for parent, folders, files in os.walk(folder):
        for name in [*files, *(name for name in folders if Path(parent, name).is_symlink())]:
            yield Path(parent, name)
