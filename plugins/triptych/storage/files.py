"""`file://`: local or shared folders, limited to the configured roots."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from triptych.errors import ObjectConflictError, ObjectNotFoundError, SourceError, StorageAccessError, StorageError
from triptych.storage.base import BLOCK_BYTES, ObjectInfo, Stage, StagedObject, Store, WaitingUpload, Writer
from triptych.storage.paths import file_path, file_uri, files_below, identity, warn_of_links
from triptych.storage.walls import refusal

_HIDDEN = ".triptych-part-"
_NO_KERNEL_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What copy_file_range(2) answers where it cannot serve these two files."""
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What link(2) answers on file systems without hard links."""


class FileStore(Store):
    """Files written under a hidden name and moved into place; the etag is inode, mtime and size."""

    uploads_wait = False
    one_put_bytes = 0

    def __init__(self, roots: Iterable[Path], closed: Iterable[Path] = ()) -> None:
        """`roots` are the folders below which jobs may read and write, but for what is `closed` to them.

        From there `stage_copy` alone reads: results in the workspace become outputs.
        """
        self._roots = [root.resolve() for root in roots]
        self._closed = [folder.resolve() for folder in closed]

    def stat(self, uri: str) -> ObjectInfo:
        """Links are followed, inside the roots only; a folder is no object."""
        path = self._path(uri)
        with _map_errors(uri):
            if path.is_dir():
                msg = f"{uri}: this is a folder. A folder's URI ends in '/'."
                raise ObjectNotFoundError(msg)
            return _info(path, path.stat())

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Sorted by bytes of the path; hidden parts of writers are left out, and links that lead outside refused.

        Nothing of closed folders is listed. Links to folders, and those that lead nowhere, are left out, which a
        warning tells.
        """
        self._path(prefix)
        start = file_path(prefix)
        folder, beginning = (start, "") if prefix.endswith("/") else (start.parent, start.name)
        left_out: list[Path] = []
        # By identity: a mount may show a closed folder at a second path.
        closed = {known for each in self._closed if (known := identity(each))}
        for path in sorted(files_below(folder, beginning, closed, left_out), key=os.fsencode):
            if path.name.startswith(_HIDDEN):
                continue
            try:
                self._path(file_uri(path))  # A link may lead out of the roots.
                found = _info(path, path.stat())
            except (FileNotFoundError, RuntimeError):  # RuntimeError says that links lead in a circle.
                left_out += [path] if path.is_symlink() else []
                continue
            yield found
        warn_of_links(prefix, folder, left_out)

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        """From one open file, so that a replaced one is not mixed in; `etag` is compared once it is open."""
        path = self._path(uri)
        with _map_errors(uri), path.open("rb", buffering=0) as source:
            info = _info(path, os.fstat(source.fileno()))
            if etag is not None and info.etag != etag:
                msg = f"{uri}: the file changed after the job started. Launch the job again."
                raise SourceError(msg)
            source.seek(offset)
            left = info.size - offset if length is None else length
            while left > 0 and (block := source.read(min(BLOCK_BYTES, left))):
                left -= len(block)
                yield block

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        """A hidden file beside the target, moved onto it when the context ends well."""
        path = self._path(uri)
        with _map_errors(uri):
            part = _part_beside(path)
        try:
            with part.open("wb") as out:
                yield _FileWriter(out, uri, self._path)
                with _map_errors(uri):
                    out.close()
                    part.chmod(0o644)
                    part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        """A hard link to a file that is whole already."""
        path = self._path(uri)
        with _map_errors(uri):
            part = _part_beside(path)
            try:
                part.write_bytes(data)
                part.chmod(0o644)
                # A link, unlike a rename, fails where the name is taken.
                path.hardlink_to(part)
            except FileExistsError:
                return False
            finally:
                part.unlink(missing_ok=True)
        return True

    def delete(self, uri: str) -> None:
        """Remove the file, and leave its folder, even when that is empty now."""
        with _map_errors(uri):
            self._path(uri).unlink(missing_ok=True)

    def prune(self, prefix: str) -> None:
        """From the leaves up, with its own; a folder that something lies in by now stays."""
        for parent, _, _ in os.walk(self._path(prefix), topdown=False):
            with suppress(OSError):
                Path(parent).rmdir()

    @contextmanager
    def stage(self, uri: str, aside: str) -> Iterator[Stage]:
        """The bytes lie aside, in one file system with `uri` where it can be: the release is a rename then."""
        self._check_place(uri)
        path = self._path(aside)
        with self._new_file(path, aside) as out:
            writer = _FileWriter(out, aside, lambda source: self._path(source, to_copy=True))
            yield writer
            with _map_errors(aside):
                out.close()
                writer.staged = _staged(uri, aside, path)

    def stage_copy(self, source: str, size: int, uri: str, aside: str) -> StagedObject:
        """In the kernel, or on the file server."""
        self._check_place(uri)
        origin, path = self._path(source, to_copy=True), self._path(aside)
        with _map_errors(source):
            data = origin.open("rb", buffering=0)
        with data, self._new_file(path, aside) as out, _map_errors(aside):
            copy_in_kernel(data, out)
        return _staged(uri, aside, path)

    def release(self, staged: StagedObject, replaces: str | None) -> str:
        """A link where the name is free, else a rename; beside it first where it lies in another file system."""
        path, aside = self._path(staged.uri), self._path(staged.handle)
        with _map_errors(staged.uri):
            if not aside.exists():
                msg = f"{staged.handle}: what was staged is not there any more."
                raise ObjectNotFoundError(msg)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return _place(aside, path, replaces)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return self._release_copy(aside, path, replaces)

    def _release_copy(self, aside: Path, path: Path, replaces: str | None) -> str:
        part = _part_beside(path)
        try:
            with aside.open("rb", buffering=0) as data, part.open("wb") as out:
                copy_in_kernel(data, out)
            part.chmod(0o644)
            etag = _place(part, path, replaces)
            aside.unlink(missing_ok=True)
        finally:
            part.unlink(missing_ok=True)
        return etag

    def discard(self, staged: StagedObject) -> None:
        """Remove the file aside, and its folder, when that is empty now."""
        self.delete(staged.handle)
        with suppress(OSError):
            self._path(staged.handle).parent.rmdir()

    def waiting(self, uri: str) -> Sequence[WaitingUpload]:
        """None ever: what waits lies aside."""
        return ()

    def put_replacing(self, uri: str, data: bytes, replaces: str | None) -> str:
        """A file that is whole already takes the name; a file there is compared just before, not at once with that."""
        path = self._path(uri)
        with _map_errors(uri):
            part = _part_beside(path)
            try:
                part.write_bytes(data)
                part.chmod(0o644)
                return _place(part, path, replaces)
            finally:
                part.unlink(missing_ok=True)

    def delete_version(self, uri: str, etag: str) -> None:
        """Compared just before, not at once with the removal."""
        path = self._path(uri)
        with _map_errors(uri), suppress(FileNotFoundError):
            if _info(path, path.stat()).etag == etag:
                path.unlink()

    def _check_place(self, uri: str) -> None:
        """Before anything is written: a folder of that name, or a file where a folder has to be, are in the way."""
        path = self._path(uri)
        with _map_errors(uri):
            there = next(each for each in (path, *path.parents) if each.exists())
            if (there == path) == there.is_dir():
                msg = f"{uri}: {there} is in the way."
                raise ObjectConflictError(msg)

    @contextmanager
    def _new_file(self, path: Path, uri: str) -> Iterator[BinaryIO]:
        """A file that is removed again when the context ends with an error."""
        with _map_errors(uri):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                out = path.open("xb")
            except FileNotFoundError:
                # Another attempt that discarded the last file there removed the folder just then.
                path.parent.mkdir(parents=True, exist_ok=True)
                out = path.open("xb")
        try:
            with out:
                yield out
            path.chmod(0o644)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def check_writable(self, prefix: str) -> None:
        """A hidden file, made and removed, in the nearest folder above that is there."""
        path = self._path(prefix)
        with _map_errors(prefix):
            while not path.exists():
                path = path.parent
            handle, name = tempfile.mkstemp(prefix=_HIDDEN, dir=path)
            os.close(handle)
            Path(name).unlink()

    def copies_from(self, other: Store) -> bool:
        """Of another store for local files, when its folders are known here: as roots, or as what is closed to jobs."""
        if not isinstance(other, FileStore):
            return False
        known = [*self._roots, *self._closed]
        return all(any(root.is_relative_to(folder) for folder in known) for root in other._roots)

    def _path(self, uri: str, *, to_copy: bool = False) -> Path:
        """The real path, links resolved; StorageAccessError outside the roots, and inside what is closed.

        `to_copy` is a file of ours, which may lie in what is closed to others.
        """
        path = file_path(uri).resolve()
        if any(path.is_relative_to(folder) for folder in self._closed):
            if to_copy:
                return path
            raise refusal(uri, "lies inside")
        if not any(path.is_relative_to(root) for root in self._roots):
            roots = ", ".join(map(str, self._roots)) or "none"
            msg = (
                f"{uri}: outside the folders that jobs may use ({roots}). An operator can add its folder to "
                "AIRFLOW__TRIPTYCH__ALLOWED_ROOTS."
            )
            raise StorageAccessError(msg)
        return path


class _FileWriter:
    """The stream of one `writer` or `stage`; its errors are ours, unlike those of the code that writes."""

    staged: StagedObject

    def __init__(self, out: BinaryIO, uri: str, path_of: Callable[[str], Path]) -> None:
        """`path_of` is where a file lies that is to be copied."""
        self._out, self._uri, self._path_of = out, uri, path_of

    def write(self, data: bytes, /) -> int:
        try:
            return self._out.write(data)
        except OSError as error:
            raise _translated(self._uri, error) from error

    def copy(self, source: str, begin: int, end: int, blocks: Iterable[bytes]) -> None:
        """As `Stage.copy`: in the kernel, or on the file server, while the blocks are asked for."""
        with _map_errors(source), self._path_of(source).open("rb", buffering=0) as data, ThreadPoolExecutor(1) as pool:
            copying = pool.submit(copy_in_kernel, data, self._out, begin, end)
            for _ in blocks:
                pass  # Who made them wants all to be read.
            copying.result()


def _place(made: Path, path: Path, replaces: str | None) -> str:
    """Give a whole file of the same file system this name, where the version `replaces`, or nothing, has it now."""
    etag = _info(made, made.stat()).etag
    if replaces is not None:
        try:
            found = _info(path, path.stat()).etag
        except FileNotFoundError:
            found = "nothing"
        if found != replaces:
            msg = f"{file_uri(path)}: another file is there than the one to replace."
            raise ObjectConflictError(msg)
        made.replace(path)
        return etag
    try:
        # A link, unlike a rename, fails where the name is taken.
        path.hardlink_to(made)
    except FileExistsError as error:
        msg = f"{file_uri(path)}: there is such a file already."
        raise ObjectConflictError(msg) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            msg = f"{file_uri(path)}: there is such a file already."
            raise ObjectConflictError(msg) from error
        made.replace(path)
    else:
        made.unlink()
    return etag


def _staged(uri: str, aside: str, path: Path) -> StagedObject:
    info = _info(path, path.stat())
    return StagedObject(uri, info.size, aside, info.etag)


def copy_in_kernel(source: BinaryIO, target: BinaryIO, begin: int = 0, end: int | None = None) -> None:
    """The bytes of `source` from `begin` to `end`, or to its last one, behind what was written to `target`.

    On the file server or in the kernel (copy_file_range(2)); through our memory only where the file systems of the two
    refuse that, or the system has no such call.
    """
    target.flush()
    os.lseek(source.fileno(), begin, os.SEEK_SET)
    left = (os.fstat(source.fileno()).st_size if end is None else end) - begin
    try:
        while left > 0 and (copied := os.copy_file_range(source.fileno(), target.fileno(), left)):
            left -= copied
    except (OSError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_KERNEL_COPY:
            raise
        while left > 0 and (block := source.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            target.write(block)
    if left > 0:
        raise OSError(errno.EIO, "the file ended before its size")
    target.seek(0, os.SEEK_END)


def _info(path: Path, stat: os.stat_result) -> ObjectInfo:
    etag = f"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"
    return ObjectInfo(file_uri(path), stat.st_size, etag, stat.st_mtime)


def _part_beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_HIDDEN, dir=path.parent)
    os.close(handle)
    return Path(name)


@contextmanager
def _map_errors(uri: str) -> Iterator[None]:
    """Errors of the operating system as ours, with the URI."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise _translated(uri, error) from error


def _translated(uri: str, error: OSError) -> StorageError:
    if isinstance(error, FileNotFoundError):
        return ObjectNotFoundError(f"{uri}: there is no such file.")
    if isinstance(error, PermissionError):
        return StorageAccessError(f"{uri}: the worker's user may not do this ({error.strerror}).")
    return StorageError(f"{uri}: {error.strerror or error}.")
