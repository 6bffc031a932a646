"""Archives of many files, written as a stream, and safe reading of tars that somebody else wrote."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Self

from triptych.engines.streams.file_objects import OutputFile
from triptych.errors import SourceError
from triptych.storage import Writer

PackedFile = tuple[str, int, Iterable[bytes]]
"""Its name, its size, and blocks that have this size together."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of every file in a zip: the same files give the same archive."""


class MemberData:
    """Reads one file of an archive; SourceError where the archive ends too early."""

    def __init__(self, data: IO[bytes], what: str) -> None:
        self._data, self._what = data, what

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._data.read(size)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise _unreadable(self._what, error) from error


@dataclass(frozen=True)
class Member:
    """One regular file: `name` is relative, with `/`, and never leaves its folder; `data` is read once, in order."""

    name: str
    size: int
    data: MemberData


def tar_of(files: Iterable[PackedFile]) -> Iterator[bytes]:
    """An uncompressed tar; the same files give the same bytes: no times, no owners."""
    whole = 0
    for name, size, blocks in files:
        entry = tarfile.TarInfo(name)
        entry.size = size
        header, padding = entry.tobuf(tarfile.PAX_FORMAT), bytes(-size % tarfile.BLOCKSIZE)
        yield header
        yield from blocks
        yield padding
        whole += len(header) + size + len(padding)
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(whole + end) % tarfile.RECORDSIZE)


def write_zip(out: Writer, files: Iterable[PackedFile], method: int = zipfile.ZIP_DEFLATED) -> None:
    """Without seeking; as zip64 where a file or their number needs it."""
    with zipfile.ZipFile(OutputFile(out), "w") as archive:
        for name, size, blocks in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = method
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=size > 2**31) as target:
                for block in blocks:
                    target.write(block)


def read_tar(stream: BinaryIO, what: str) -> Iterator[Member]:
    """The regular files of a tar, plain or compressed, in its order; use each before the next.

    Raises SourceError for a link, a special file, a name that leaves the folder, or an archive that cannot be read.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Undamaged) as archive:
            while (entry := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # It remembers every file.
                if entry.isdir():
                    continue
                data = archive.extractfile(entry) if entry.isreg() else None
                if data is None:
                    msg = f"{what}: {entry.name!r} is no regular file, which is refused. Pack copies of the files."
                    raise SourceError(msg)
                yield Member(safe_name(entry.name, what), entry.size, MemberData(data, what))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _unreadable(what, error) from error


def _unreadable(what: str, error: Exception) -> SourceError:
    return SourceError(f"{what}: cannot be read as a tar archive: {error}.")


class _Undamaged(tarfile.TarInfo):
    """The standard library takes a damaged or missing header behind the first for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # Two blocks of zeros: the end.
            raise
        except tarfile.HeaderError as error:
            msg = f"the header at byte {archive.offset} is damaged or missing"
            raise tarfile.ReadError(msg) from error


def safe_name(name: str, what: str) -> str:
    """The name without `.` parts; SourceError when it is absolute or climbs out of its folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or path.parts[0].endswith(":"):
        msg = f"{what}: the name {name!r} leaves its folder, which is refused."
        raise SourceError(msg)
    return path.as_posix()
