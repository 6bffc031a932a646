"""Source trees: many sources below one folder, zips and tars, as files with relative paths."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from triptych.engines.api import Source
from triptych.engines.archives.members import safe_name
from triptych.engines.runtime.resources import need, resources
from triptych.errors import SourceError, StorageError

BLOCK_BYTES = 256 * 1024
ARCHIVES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
MAX_GITIGNORE_BYTES = 1024 * 1024
VERSION_CONTROL = {".git", ".hg", ".svn"}
PACKAGE_MARKERS = {
    *("pyproject.toml", "setup.py", "setup.cfg", "package.json", "Cargo.toml", "go.mod", "pom.xml", "build.gradle"),
    *("build.gradle.kts", "composer.json", "Gemfile", "mix.exs", "Package.swift", "CMakeLists.txt", "DESCRIPTION"),
}
LANGUAGES: dict[str, tuple[str, ...]] = {
    "assembly": (".s", ".asm"),
    "c": (".c", ".h"),
    "cpp": (".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx", ".ipp"),
    "csharp": (".cs",),
    "css": (".css", ".scss", ".less"),
    "cython": (".pyx", ".pxd", ".pxi"),
    "dart": (".dart",),
    "elixir": (".ex", ".exs"),
    "erlang": (".erl", ".hrl"),
    "fortran": (".f", ".f77", ".f90", ".f95", ".f03", ".for"),
    "go": (".go",),
    "haskell": (".hs",),
    "html": (".html", ".htm"),
    "java": (".java",),
    "javascript": (".js", ".mjs", ".cjs", ".jsx"),
    "json": (".json",),
    "julia": (".jl",),
    "kotlin": (".kt", ".kts"),
    "lua": (".lua",),
    "markdown": (".md", ".markdown"),
    "objective_c": (".m", ".mm"),
    "perl": (".pl", ".pm"),
    "php": (".php",),
    "python": (".py", ".pyi", ".pyw"),
    "r": (".r",),
    "restructuredtext": (".rst",),
    "ruby": (".rb",),
    "rust": (".rs",),
    "scala": (".scala",),
    "shell": (".sh", ".bash", ".zsh"),
    "sql": (".sql",),
    "swift": (".swift",),
    "toml": (".toml",),
    "typescript": (".ts", ".tsx", ".mts", ".cts"),
    "yaml": (".yaml", ".yml"),
    "zig": (".zig",),
}
"""By extension, in small letters."""


@dataclass(frozen=True)
class TreeFile:
    """One file: `path` is relative, with `/`; `offset` is its place in `source`, where it lies there as it is."""

    path: str
    size: int
    source: Source
    offset: int | None
    blocks: Callable[[], Iterable[bytes]]


@contextmanager
def open_tree(sources: Sequence[Source], kind: str) -> Iterator[list[TreeFile]]:
    """The files of a folder's sources or of archives, by path; several archives each below a folder of its name.

    `kind` is "folder", "archives" or "auto": archives when every source's name ends like one. Paths are kept in
    memory, contents never. Raises SourceError for a broken archive, a link in it, or a path that is there twice.
    """
    packed = all(source.name.lower().endswith(ARCHIVES) for source in sources) if kind == "auto" else kind == "archives"
    with ExitStack() as stack:
        if packed:
            files = [file for source in sources if source.size for file in _in_archive(source, len(sources) > 1, stack)]
        else:
            files = [TreeFile(p, s.size, s, 0, s.stream) for p, s in zip(below_common(sources), sources, strict=True)]
        files.sort(key=lambda file: file.path)
        for file, following in pairwise(files):
            if file.path == following.path:
                msg = f"{following.source.uri}: {file.path!r} is there twice. Keep one of them."
                raise SourceError(msg)
        yield files


def below_common(sources: Sequence[Source]) -> list[str]:
    """Each source's path below the deepest folder that holds them all."""
    split = [_parts(source.uri) for source in sources]
    shared = min((len(parts) - 1 for parts in split), default=0)
    for depth in range(shared):
        if len({parts[depth] for parts in split}) > 1:
            shared = depth
            break
    paths = zip(split, sources, strict=True)
    return [safe_name("/".join(filter(None, parts[shared:])), source.uri) for parts, source in paths]


def _parts(uri: str) -> list[str]:
    address = urlsplit(uri.replace("#", "%23"))
    return [address.scheme, address.netloc, *map(unquote, address.path.split("/"))]


def _in_archive(source: Source, several: bool, stack: ExitStack) -> Iterator[TreeFile]:
    prefix = f"{_stem(source.name)}/" if several else ""
    stream = stack.enter_context(source.open())
    head = stream.read(6)
    stream.seek(0)
    members = _zip_files if head.startswith(b"PK") else _tar_files
    with reading(source.uri):
        yield from members(source, stream, head, prefix, stack)


def _stem(name: str) -> str:
    ending = max((e for e in ARCHIVES if name.lower().endswith(e)), key=len, default="")
    return name[: len(name) - len(ending)] or name


@contextmanager
def reading(what: str) -> Iterator[None]:
    """What archive libraries raise becomes a SourceError that names the archive."""
    try:
        yield
    except StorageError:
        raise
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        msg = f"{what}: cannot be read as a zip or tar archive: {error}. Pack it again."
        raise SourceError(msg) from error
    except (RuntimeError, NotImplementedError) as error:  # A password; a method that zipfile does not know.
        msg = f"{what}: cannot be unpacked: {error}. Pack it again without a password, with deflate."
        raise SourceError(msg) from error


def _zip_files(source: Source, stream: BinaryIO, head: bytes, prefix: str, stack: ExitStack) -> Iterator[TreeFile]:
    archive = stack.enter_context(zipfile.ZipFile(stream))
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        if (entry.external_attr >> 16) & 0o170000 == 0o120000:
            raise SourceError(_no_link(source.uri, entry.filename))
        path = prefix + safe_name(entry.filename, source.uri)
        yield TreeFile(path, entry.file_size, source, None, partial(_zip_blocks, archive, entry, source.uri))


def _zip_blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, uri: str) -> Iterator[bytes]:
    with reading(f"{uri}: {entry.filename}"), archive.open(entry) as data:
        while block := data.read(BLOCK_BYTES):
            yield block


def _tar_files(source: Source, stream: BinaryIO, head: bytes, prefix: str, stack: ExitStack) -> Iterator[TreeFile]:
    unpacked = _unpacked(stream, head)
    if unpacked is not None:
        stream = stack.enter_context(unpacked.open("rb"))
    for name, offset, size in tar_index(stream, source.uri):
        blocks = partial(range_blocks, stream, offset, size)
        yield TreeFile(prefix + name, size, source, offset if unpacked is None else None, blocks)


def _unpacked(stream: BinaryIO, head: bytes) -> Path | None:
    """A compressed tar, unpacked into scratch, as no member of it can be reached alone; None for a plain one."""
    if head.startswith(b"\x1f\x8b"):
        unpack: Any = gzip.open
    elif head.startswith(b"BZh"):
        unpack = bz2.open
    elif head.startswith(b"\xfd7zXZ"):
        unpack = lzma.open
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        unpack = need("zstandard", "archives").open
    else:
        return None
    path = resources().new_folder() / "tree.tar"
    with unpack(stream, "rb") as data, path.open("wb") as out:
        while block := data.read(BLOCK_BYTES):
            out.write(block)
    return path


def tar_index(stream: BinaryIO, what: str) -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of each regular file of an uncompressed, seekable tar, in its order.

    Raises SourceError for a link, a special file or a name that leaves its folder, and where tarfile would take a
    broken header for the end.
    """
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        while entry := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  # It would keep them all.
            if entry.isdir():
                continue
            if not entry.isreg() or entry.sparse:
                raise SourceError(_no_link(what, entry.name))
            yield safe_name(entry.name, what), entry.offset_data, entry.size
        stream.seek(archive.offset)
        if any(stream.read(tarfile.BLOCKSIZE)):
            msg = f"{what}: byte {archive.offset} begins no tar header; the archive is damaged. Pack it again."
            raise SourceError(msg)


def _no_link(what: str, name: str) -> str:
    return f"{what}: {name!r} is a link or no regular file, which is refused. Pack a copy, or leave it out."


def range_blocks(stream: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    """Bytes [offset, offset + size); others may move the stream between two blocks."""
    for begin in range(offset, offset + size, BLOCK_BYTES):
        stream.seek(begin)
        yield stream.read(min(BLOCK_BYTES, offset + size - begin))


class Ignored:
    """Whether git would ignore a path, going by the tree's own .gitignore files; version control's folders always are.

    The nearest file's last matching pattern decides, and nothing below an ignored folder comes back (gitignore(5)).
    """

    def __init__(self, files: Iterable[TreeFile]) -> None:
        spec = need("pathspec", "documents").GitIgnoreSpec
        self._specs = {
            _folder(file.path): spec.from_lines(_lines(file))
            for file in files
            if PurePosixPath(file.path).name == ".gitignore"
        }
        self._folders: dict[str, bool] = {"": False}

    def __call__(self, path: str) -> bool:
        return self._folder_ignored(_folder(path)) or self._matches(path)

    def _folder_ignored(self, folder: str) -> bool:
        if folder not in self._folders:
            above = self._folder_ignored(_folder(folder))
            self._folders[folder] = above or self._matches(f"{folder}/")
        return self._folders[folder]

    def _matches(self, path: str) -> bool:
        base = _folder(path.rstrip("/"))
        while True:
            if base in self._specs:
                below = path[len(base) + 1 :] if base else path
                decided = self._specs[base].check_file(below).include
                if decided is not None:
                    return bool(decided)
            if not base:
                return False
            base = _folder(base)


def in_version_control(path: str) -> bool:
    return not VERSION_CONTROL.isdisjoint(PurePosixPath(path).parts[:-1])


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _lines(file: TreeFile) -> list[str]:
    if file.size > MAX_GITIGNORE_BYTES:
        msg = f"{file.source.uri}: {file.path!r} is larger than {MAX_GITIGNORE_BYTES} bytes. Set gitignore to false."
        raise SourceError(msg)
    return b"".join(file.blocks()).decode("utf-8", "replace").splitlines()


def unit_of(kind: str, paths: Sequence[str]) -> Callable[[str], str]:
    """What a file belongs to: itself ("file"), its "folder", or its "package", as a path.

    A package is the top one of nested folders with __init__.py, else the nearest folder that a build file marks
    (PACKAGE_MARKERS), else the file's top folder.
    """
    if kind == "file":
        return lambda path: path
    if kind == "folder":
        return _folder
    names = [(_folder(path), PurePosixPath(path).name) for path in paths]
    inits = {folder for folder, name in names if name == "__init__.py"}
    marked = {folder for folder, name in names if name in PACKAGE_MARKERS}
    return partial(_package, inits=inits, marked=marked)


def _package(path: str, inits: set[str], marked: set[str]) -> str:
    folder = _folder(path)
    if folder in inits:
        while folder and _folder(folder) in inits:
            folder = _folder(folder)
        return folder
    while folder not in marked:
        if not folder:
            return path.partition("/")[0] if "/" in path else ""
        folder = _folder(folder)
    return folder


def looks_like_tar(stream: BinaryIO) -> bool:
    """Whether a tar, plain or compressed, begins here; not all that is compressed is one."""
    try:
        with tarfile.open(fileobj=stream, mode="r|*"):
            return True
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError):
        return False
