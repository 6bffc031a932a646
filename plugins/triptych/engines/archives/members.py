"""Archives of many files, written as a stream, and safe reading of tars that somebody else wrote."""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Self

from triptych.engines.api import Input
from triptych.engines.compat import forget_members, is_end_of_archive
from triptych.engines.streams.file_objects import BlockReader, OutputFile
from triptych.engines.streams.unpacking import HEAD_BYTES, DamagedError, Packing, packing_of, pieces, unpacked
from triptych.errors import StorageError
from triptych.storage import Writer

PackedFile = tuple[str, int, Iterable[bytes]]
"""Its name, its size, and blocks that have this size together."""
BLOCK_BYTES = 256 * 1024
MAX_NAME_LETTERS = 4096
"""PATH_MAX of Linux, whose letters are bytes."""
MAX_HEADER_BYTES = 1024 * 1024
"""Names, and the extended attributes of a file, of which Linux has 64 KiB each."""
_LONG_HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of every file in a zip: the same files give the same archive."""


@contextmanager
def archive_errors(item: Input, member: str = "", form: str = "zip or tar") -> Iterator[None]:
    """What archive libraries raise becomes the item's error; `member` is the file in it that is being read."""
    before = f"{member}: " if member else ""
    try:
        yield
    except StorageError:
        raise
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        # zipfile shows the bytes of a name here.
        why = "its directory calls a file otherwise" if " and header " in str(error) else str(error).rstrip(".")
        text = f"{before}cannot be read as a {form} archive: {why}. Pack it again."
        raise item.error(text) from error
    except (RuntimeError, NotImplementedError) as error:  # A password; a method that zipfile does not know.
        text = f"{before}cannot be unpacked: {error}. Pack it again without a password, with deflate."
        raise item.error(text) from error


class MemberData:
    """Reads one file of an archive, in order; raises the item's error where the archive ends too early."""

    def __init__(self, data: IO[bytes], item: Input) -> None:
        self._data, self._item = data, item

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, all that is left by default; none at the file's end."""
        with archive_errors(self._item, form="tar"):
            return self._data.read(size)


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


def read_tar(item: Input, stream: BinaryIO) -> Iterator[Member]:
    """The regular files of a tar, plain or packed, in its order; use each before the next.

    `stream` is the item's data. Raises the item's error for a link, a file with holes, a special file, a name that
    leaves the folder, an archive that cannot be read, and one that unpacks to more than the settings allow.
    """
    packing, stream = _packing(stream)
    plain = stream if packing is None else _file(unpacked(item, stream, packing))
    with archive_errors(item, form="tar"), tarfile.open(fileobj=plain, mode="r|", tarinfo=_Undamaged) as archive:
        while (entry := archive.next()) is not None:
            forget_members(archive)
            if entry.isdir():
                continue
            data = archive.extractfile(entry) if entry.isreg() and not entry.sparse else None
            if data is None:
                raise item.error(not_regular(entry.name))
            yield Member(safe_name(item, entry.name), entry.size, MemberData(data, item))


def _packing(stream: BinaryIO) -> tuple[Packing | None, BinaryIO]:
    """How a stream at its start is packed, and the same stream from there, which need not seek."""
    head = stream.read(HEAD_BYTES)
    if stream.seekable():
        stream.seek(0)
    else:
        stream = _file(chain([head], iter(partial(stream.read, BLOCK_BYTES), b"")))
    return packing_of(head), stream


def _file(blocks: Iterator[bytes]) -> BinaryIO:
    return io.BufferedReader(BlockReader(blocks), BLOCK_BYTES)


def not_regular(name: str) -> str:
    """The sentence that refuses a link, a device, or a file with holes."""
    return f"{name!r} is a link or no regular file, which is refused. Pack a copy, or leave it out."


class BoundedTarInfo(tarfile.TarInfo):
    """A header that goes on behind itself does so for MAX_HEADER_BYTES at most: tarfile holds all of that."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """The header in one block; ReadError for one that is followed by too much of itself."""
        header = super().frombuf(buf, encoding, errors)
        if header.type in _LONG_HEADERS and header.size > MAX_HEADER_BYTES:
            msg = f"a header of {header.size} bytes, and one may have {MAX_HEADER_BYTES}"
            raise tarfile.ReadError(msg)
        return header


class _Undamaged(BoundedTarInfo):
    """The standard library takes a damaged or missing header behind the first for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if is_end_of_archive(error):
                raise
            msg = f"the header at byte {archive.offset} is damaged or missing"
            raise tarfile.ReadError(msg) from error


def looks_like_tar(stream: BinaryIO) -> bool:
    """Whether a tar, plain or packed, begins here; not all that is packed is one."""
    packing, stream = _packing(stream)
    plain = stream if packing is None else _file(pieces(stream, packing))
    try:
        with tarfile.open(fileobj=plain, mode="r|", tarinfo=BoundedTarInfo):
            return True
    except (tarfile.TarError, DamagedError):
        return False


def relative_path(name: str) -> str | None:
    """The name without `.` parts, with `/`: `./a\\b` -> `a/b`; None when it is absolute or climbs out of its folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or path.parts[0].endswith(":"):
        return None
    return path.as_posix()


def safe_name(item: Input, name: str) -> str:
    """The `relative_path` of a name that stands in the item; raises its error where there is none."""
    if len(name) > MAX_NAME_LETTERS:
        text = (
            f"the name {name[:60]!r}... has {len(name)} letters, and a path has {MAX_NAME_LETTERS} at most. Shorten it."
        )
        raise item.error(text)
    path = relative_path(name)
    if path is None:
        text = f"the name {name!r} leaves its folder, which is refused. Give it a relative name."
        raise item.error(text)
    return path
