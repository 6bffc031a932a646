"""Source trees: many sources below one folder, zips and tars, as files with relative paths."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from triptych.engines.api import Source
from triptych.engines.archives.members import BLOCK_BYTES, BoundedTarInfo, archive_errors, not_regular, safe_name
from triptych.engines.archives.zips import entry_blocks, open_zip
from triptych.engines.compat import forget_members
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.unpacking import HEAD_BYTES, Expansion, packing_of, unpack_into, unpacked

ARCHIVES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
FILE_BYTES = 1024
"""What one file's path, size and place take of memory."""


@dataclass(frozen=True)
class TreeFile:
    """One file: `path` is relative, with `/`; `offset` is its place in `source`, where it lies there as it is.

    `blocks()` gives its bytes once more each time, while the tree is open.
    """

    path: str
    size: int
    source: Source
    offset: int | None
    blocks: Callable[[], Iterable[bytes]]


@contextmanager
def open_tree(sources: Sequence[Source], form: str) -> Iterator[list[TreeFile]]:
    """The files of a folder's sources or of archives, by path; several archives each below a folder of its name.

    `form` is "folder", "archives" or "auto": archives when every source's name ends like one. Paths are kept in
    memory, contents never. Raises the source's error for a broken archive, a link in it, or a path that is there twice.
    """
    packed = all(source.name.lower().endswith(ARCHIVES) for source in sources) if form == "auto" else form == "archives"
    with ExitStack() as stack:
        if packed:
            held = (file for source in sources if source.size for file in _in_archive(source, len(sources) > 1, stack))
            files = list(_few_enough(held))
        else:
            files = [TreeFile(p, s.size, s, 0, s.stream) for p, s in zip(below_common(sources), sources, strict=True)]
        files.sort(key=lambda file: file.path)
        for file, following in pairwise(files):
            if file.path == following.path:
                text = f"{file.path!r} is there twice. Keep one of them."
                raise following.source.error(text)
        yield files


def _few_enough(files: Iterable[TreeFile]) -> Iterator[TreeFile]:
    """The same; the error of the source whose file is one too many to keep in memory."""
    most, taken = resources().share(1, "the list of the files in it"), 0
    for file in files:
        taken += FILE_BYTES + len(file.path)
        most.check(taken, file.source, "Pack fewer files together.")
        yield file


def below_common(sources: Sequence[Source]) -> list[str]:
    """Each source's path below the deepest folder that holds them all: `x/a/b.py`, `x/c.py` -> `a/b.py`, `c.py`."""
    split = [_parts(source.uri) for source in sources]
    shared = min((len(parts) - 1 for parts in split), default=0)
    for depth in range(shared):
        if len({parts[depth] for parts in split}) > 1:
            shared = depth
            break
    both = zip(split, sources, strict=True)
    return [safe_name(source, "/".join(filter(None, parts[shared:]))) for parts, source in both]


def _parts(uri: str) -> list[str]:
    address = urlsplit(uri.replace("#", "%23"))
    return [address.scheme, address.netloc, *map(unquote, address.path.split("/"))]


def _in_archive(source: Source, several: bool, stack: ExitStack) -> Iterator[TreeFile]:
    prefix = f"{_stem(source.path)}/" if several else ""
    stream = stack.enter_context(source.open())
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    with archive_errors(source):
        if head.startswith(b"PK"):
            yield from _zip_files(source, stream, prefix, stack)
        else:
            yield from _tar_files(source, stream, head, prefix, stack)


def _stem(name: str) -> str:
    ending = max((e for e in ARCHIVES if name.lower().endswith(e)), key=len, default="")
    return name[: len(name) - len(ending)] or name


def _zip_files(source: Source, stream: BinaryIO, prefix: str, stack: ExitStack) -> Iterator[TreeFile]:
    archive, expansion = stack.enter_context(open_zip(source, stream)), Expansion(source)
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        if (entry.external_attr >> 16) & 0o170000 == 0o120000:
            raise source.error(not_regular(entry.filename))
        path = prefix + safe_name(source, entry.filename)
        expansion.add(entry.file_size, entry.filename)
        yield TreeFile(path, entry.file_size, source, None, partial(entry_blocks, archive, entry, source))


def _tar_files(source: Source, stream: BinaryIO, head: bytes, prefix: str, stack: ExitStack) -> Iterator[TreeFile]:
    packing = packing_of(head)
    if packing is not None:
        # Into scratch, as no file of a packed tar can be reached alone.
        whole = unpack_into(resources().new_folder() / "tree.tar", unpacked(source, stream, packing))
        stream = stack.enter_context(whole.open("rb"))
    for name, offset, size in tar_index(source, stream):
        blocks = partial(range_blocks, stream, offset, size)
        yield TreeFile(prefix + name, size, source, offset if packing is None else None, blocks)


def tar_index(source: Source, stream: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of each regular file of an uncompressed, seekable tar, in its order.

    `stream` is the source's data, unpacked. Raises the source's error for a link, a special file or a name that
    leaves its folder, and where tarfile would take a broken header for the end.
    """
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=BoundedTarInfo) as archive:
        while entry := archive.next():
            forget_members(archive)
            if entry.isdir():
                continue
            if not entry.isreg() or entry.sparse:
                raise source.error(not_regular(entry.name))
            yield safe_name(source, entry.name), entry.offset_data, entry.size
        stream.seek(archive.offset)
        if any(stream.read(tarfile.BLOCKSIZE)):
            text = f"byte {archive.offset} begins no tar header; the archive is damaged. Pack it again."
            raise source.error(text)


def range_blocks(stream: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    """Bytes [offset, offset + size); others may move the stream between two blocks."""
    for begin in range(offset, offset + size, BLOCK_BYTES):
        stream.seek(begin)
        yield stream.read(min(BLOCK_BYTES, offset + size - begin))
