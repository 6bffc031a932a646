"""Folders in and out of a container through the engine's archive API, for engines that do not share our files."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from triptych.errors import ChunkError


def put_folder(client: Any, container: str, folder: Path, inside: PurePosixPath) -> None:
    """Copy `folder` to `inside` in the container, which need not run. Modes are kept; bounded memory."""
    with tempfile.TemporaryFile(dir=folder.parent) as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(folder, str(inside).lstrip("/"))
        packed.seek(0)
        client.put_archive(container, "/", packed)


def get_folder(client: Any, container: str, inside: PurePosixPath, folder: Path, limits: tuple[int, int]) -> None:
    """Copy what lies below `inside` to `folder`, which is empty. `limits` are the most files and the most bytes.

    The container is not trusted: only folders and regular files are taken, none outside `folder`; ChunkError for
    anything else, and beyond the limits.
    """
    max_files, max_bytes = limits
    blocks, _ = client.get_archive(container, str(inside))
    files = size = 0
    with tarfile.open(fileobj=_Stream(blocks), mode="r|") as tar:
        for member in tar:
            name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isdir():
                (folder / _safe(name)).mkdir(exist_ok=True)
                continue
            files, size = files + 1, size + member.size
            data = tar.extractfile(member) if member.isreg() else None
            if data is None:
                kind = "a link" if member.issym() or member.islnk() else "no regular file"
                msg = f"the result '{name}' is {kind}, which is refused. Write a copy of the file instead."
                raise ChunkError(msg)
            if files > max_files or size > max_bytes:
                msg = f"more than {max_files} files or {max_bytes >> 30} GiB of results."
                raise ChunkError(msg)
            _save(data, folder / _safe(name))


def _safe(name: PurePosixPath) -> PurePosixPath:
    if name.is_absolute() or ".." in name.parts:
        msg = f"the result name '{name}' leads out of its folder."
        raise ChunkError(msg)
    return name


def _save(data: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as out:
        shutil.copyfileobj(data, out)


class _Stream(io.RawIOBase):
    """The blocks of a response as a file to read from."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks: Iterator[bytes] = iter(blocks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._rest:
            self._rest = next(self._blocks, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
