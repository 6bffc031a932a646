"""What a container left, judged while it is read: regular files only, within limits. Nothing here follows a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from triptych.errors import ChunkError
from triptych.running.names import plain_names
from triptych.settings import Settings
from triptych.storage.base import BLOCK_BYTES

MOST_FOLDERS_DEEP = 100
"""Deeper results are refused: so many descriptors are open while a folder is read."""
LONGEST_NAME_BYTES = 1024
"""Of a result with its folders: what object stores take as a key."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True)
class ResultLimits:
    """The most files, and the most bytes of all together, that one run of a script may leave."""

    files: int
    bytes: int
    reserve_bytes: int = 0
    """What must stay free where they are written to."""

    @classmethod
    def of(cls, settings: Settings) -> ResultLimits:
        """Those that are configured as `max_result_files`, `max_result_gib` and `scratch_reserve_mib`."""
        return cls(settings.max_result_files, settings.max_result_bytes, settings.scratch_reserve_bytes)


@dataclass(frozen=True)
class FoundFile:
    """A regular file that a script left in `folder`, `size` bytes long.

    `parts` are the script's own names on the way to it, `name` is ours for it: relative, with `/`, of plain UTF-8.
    """

    folder: Path
    parts: tuple[str, ...]
    name: str
    size: int

    @property
    def path(self) -> Path:
        """Where it lies; for who knows that no script lives any more that could put a link there."""
        return self.folder.joinpath(*self.parts)

    def open(self) -> BinaryIO:
        """The file, from its beginning; ChunkError where there is a link on the way to it by now, or no regular file.

        Never waits: a pipe would, for who writes to it.
        """
        *folders, last = self.parts
        try:
            with _opened_results(self.folder, folders) as parent:
                source = os.fdopen(os.open(last, _FILE, dir_fd=parent), "rb")
        except OSError as error:
            self._refuse(error.strerror or str(error))
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            source.close()
            self._refuse("no regular file")
        return source

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, in blocks of BLOCK_BYTES, opened as `open` does; ChunkError where they are not `size` bytes."""
        left = self.size
        with self.open() as source:
            # One more than there were: that is all that is ever read of a file that grows.
            while block := source.read(min(BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    self._refuse("longer")
                yield block
        if left:
            self._refuse("shorter")

    def _refuse(self, how: str) -> NoReturn:
        msg = (
            f"the result {self.name!r} is another than when its script had ended: {how}. Let nothing that the script "
            "starts outlive it."
        )
        raise ChunkError(msg)


class Admission:
    """Admits what one run left, one by one; ChunkError at the first that is refused."""

    def __init__(self, limits: ResultLimits | None) -> None:
        """Counts nothing where `limits` is None."""
        self._limits = limits
        self._files = self._folders = self._bytes = 0

    def admit(self, name: str, size: int, *, is_regular: bool, is_link: bool) -> None:
        """Count one file of `size` bytes; refuses links, special files, and what goes beyond the limits."""
        if not is_regular:
            shape = "a link" if is_link else "no regular file"
            msg = f"the result {name!r} is {shape}, which is refused. Write a copy of the file instead."
            raise ChunkError(msg)
        _check_name(name)
        self._files, self._bytes = self._files + 1, self._bytes + size
        limits = self._limits
        if limits and (self._files > limits.files or self._bytes > limits.bytes):
            msg = (
                f"more than {limits.files} files or {limits.bytes >> 30} GiB of results. Write fewer, or raise "
                "[triptych] max_result_files or max_result_gib."
            )
            raise ChunkError(msg)

    def admit_folder(self, name: str) -> None:
        """Count one folder: they may be as many as the files, and so deep that each can be held open."""
        _check_name(name)
        self._folders += 1
        if self._limits and self._folders > self._limits.files:
            msg = (
                f"more than {self._limits.files} folders of results. Write fewer, or raise [triptych] max_result_files."
            )
            raise ChunkError(msg)


def _check_name(name: str) -> None:
    if name.count("/") > MOST_FOLDERS_DEEP:
        msg = f"the result {name[:40]!r}... lies in more than {MOST_FOLDERS_DEEP} folders. Write it less deep."
        raise ChunkError(msg)
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME_BYTES:
        msg = (
            f"the name of the result {name[:40]!r}... is longer than {LONGEST_NAME_BYTES} bytes with its folders. "
            "Write it under a shorter one."
        )
        raise ChunkError(msg)


def result_files(folder: Path, limits: ResultLimits | None) -> list[FoundFile]:
    """What a script wrote below `folder`, by name; ChunkError where one is refused or cannot be read.

    `folder` and the one that it is in may be the script's own doing; the one above those is ours.
    """
    try:
        with _opened_results(folder, ()) as root:
            found = list(_below(root, "", Admission(limits)))
    except OSError as error:
        msg = f"the folder of results cannot be read: {error.strerror}. Leave it where it was, and readable."
        raise ChunkError(msg) from error
    names = plain_names(path for path, _ in found)
    files = [
        FoundFile(folder, tuple(path.split("/")), name, size) for (path, size), name in zip(found, names, strict=True)
    ]
    return sorted(files, key=lambda file: file.name)


def _below(folder: int, prefix: str, admission: Admission) -> Iterator[tuple[str, int]]:
    """The files in and below an open folder: relative path, and bytes."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            try:
                if entry.is_dir(follow_symlinks=False):
                    admission.admit_folder(path)
                    with _opened_folder(folder, (entry.name,)) as inner:
                        yield from _below(inner, f"{path}/", admission)
                else:
                    yield path, _admitted(folder, entry, path, admission)
            except OSError as error:
                msg = f"the result {path!r} cannot be read: {error.strerror}. Leave it readable."
                raise ChunkError(msg) from error


def _admitted(folder: int, entry: os.DirEntry[str], path: str, admission: Admission) -> int:
    """The bytes of an entry that is a file, opened once: whether it can be read is known while its chunk can fail."""
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(status.st_mode):
        descriptor = os.open(entry.name, _FILE, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    is_regular, is_link = stat.S_ISREG(status.st_mode), stat.S_ISLNK(status.st_mode)
    admission.admit(path, status.st_size, is_regular=is_regular, is_link=is_link)
    return status.st_size


@contextmanager
def _opened_results(folder: Path, names: Sequence[str]) -> Iterator[int]:
    """A unit's folder of results, or one in it; no link is followed below the one that holds the units' folders."""
    with _opened_folder(folder.parents[1], (folder.parent.name, folder.name, *names)) as opened:
        yield opened


@contextmanager
def _opened_folder(base: Path | int, names: Sequence[str]) -> Iterator[int]:
    """The folder at the end of `names`, one in the other from `base` on; OSError where one of them is a link."""
    here = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if isinstance(base, Path) else os.dup(base)
    try:
        for name in names:
            inner = os.open(name, _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)
