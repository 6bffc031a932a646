"""Folders in and out of a container through the engine's archive API, for engines that do not share our files."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from triptych.errors import ChunkError, ContainerError
from triptych.free_space import Reserve
from triptych.running.result_files import Admission, ResultLimits
from triptych.storage.copying import file_blocks

if TYPE_CHECKING:
    from docker import APIClient


def put_folders(
    client: APIClient,
    container: str,
    volume: PurePosixPath,
    folders: Mapping[PurePosixPath, Path],
    writable: Collection[PurePosixPath],
    work: Path,
) -> None:
    """Copy folders to where the container sees them, below `volume`, which is one of its volumes; it need not run.

    All of it is root's, and nobody else may write there but to the folders `writable`. In bounded memory, with a
    file in `work`.
    """
    everybodys = {str(inside.relative_to(volume)) for inside in writable}

    def as_roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = 0o777 if member.name in everybodys else member.mode & 0o755
        return member

    with tempfile.TemporaryFile(dir=work) as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for inside, folder in folders.items():
                tar.add(folder, str(inside.relative_to(volume)), filter=as_roots)
        packed.seek(0)
        client.put_archive(container, str(volume), packed)


def tar_blocks(path: Path, name: str) -> Iterator[bytes]:
    """A file or folder as an archive in which it is called `name`, in blocks: root's, and nobody writes there."""
    for each in [path, *sorted(path.rglob("*"))]:
        inside = PurePosixPath(name, each.relative_to(path))
        member = tarfile.TarInfo(str(inside))
        member.type, member.mode = (tarfile.DIRTYPE, 0o555) if each.is_dir() else (tarfile.REGTYPE, 0o444)
        member.size = 0 if each.is_dir() else each.stat().st_size
        yield member.tobuf(tarfile.PAX_FORMAT)
        if member.size:
            yield from file_blocks(each)
            yield b"\0" * (-member.size % tarfile.BLOCKSIZE)
    yield b"\0" * tarfile.BLOCKSIZE * 2


def get_folder(client: APIClient, container: str, inside: PurePosixPath, folder: Path, limits: ResultLimits) -> None:
    """Copy what lies below `inside` to `folder`, which is empty; judged while it is read.

    The container is not trusted: only folders and regular files are taken, none outside `folder`; ChunkError for
    anything else, and beyond the limits.
    """
    blocks, _ = client.get_archive(container, str(inside))
    # The engine holds the container's lock until the answer is read or hung up: nobody could remove it.
    with closing(blocks):
        unpack(blocks, folder, limits)


def unpack(blocks: Iterable[bytes], folder: Path, limits: ResultLimits) -> None:
    """Write the members of a tar stream below `folder`, without their first part, the folder that was asked for.

    ChunkError for what is refused; ContainerError for a stream that is no whole archive.
    """
    admission, reserve = Admission(limits), Reserve(folder, limits.reserve_bytes)
    try:
        with tarfile.open(fileobj=_Stream(blocks), mode="r|") as tar:
            for member in tar:
                _unpack_member(tar, member, folder, admission, reserve)
    except tarfile.TarError as error:
        msg = f"the engine's answer with the results is no whole archive: {error}."
        raise ContainerError(msg) from error


def _unpack_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, admission: Admission, reserve: Reserve
) -> None:
    name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
    if member.isdir():
        if name.parts:
            admission.admit_folder(str(name))
        (folder / _safe(name)).mkdir(exist_ok=True)
        return
    is_link = member.issym() or member.islnk()
    admission.admit(str(name), member.size, is_regular=member.isreg(), is_link=is_link)
    reserve.check(member.size, f"the result {str(name)!r} has")
    data = tar.extractfile(member)
    if data is not None:  # None is for folders and special files, which are gone by here.
        _save(data, folder / _safe(name))


def _safe(name: PurePosixPath) -> PurePosixPath:
    if name.is_absolute() or ".." in name.parts:
        msg = f"the result name '{name}' leads out of its folder."
        raise ChunkError(msg)
    return name


def _save(data: IO[bytes], path: Path) -> None:
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

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed: Buffer
        if not self._rest:
            self._rest = next(self._blocks, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
