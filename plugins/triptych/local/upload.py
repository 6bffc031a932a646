"""Files of this machine into a temporary area of the workspace, for jobs to read: all of them, or none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from triptych.errors import SourceError, StorageError
from triptych.jobs.temporary import TemporaryArea, temporary_area
from triptych.jobs.uploads import SCHEME
from triptych.jobs.workspace import make_workspace
from triptych.settings import Settings
from triptych.storage import FileEntry, Store, Stores
from triptych.storage.copying import copy_stream, file_blocks

FILES_AT_ONCE = 4


@dataclass(frozen=True)
class Upload:
    """`uri` is what a job's source names: the one file, or the folder of all, which ends in `/`."""

    uri: str
    expires: datetime
    files: Sequence[FileEntry]


def files_of(paths: Iterable[Path]) -> dict[str, Path]:
    """By their names in the upload: a file's own, and of a folder all below it, `folder/a/b.txt`.

    Links to files are followed, those to folders inside a folder are not. SourceError for what is no file or folder,
    a folder without files, and two files of one name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for name, file in _below(path):
            if name in found:
                msg = f"{file}: {found[name]} has the name {name!r} in the upload already. Rename one, or upload twice."
                raise SourceError(msg)
            found[name] = file
    return found


def upload(settings: Settings, files: Mapping[str, Path], lifetime_s: float, on_bytes: Callable[[int], None]) -> Upload:
    """Store the files under their names; `on_bytes` hears, in any thread, how many more are sent.

    An error, and Ctrl-C, leave no file of them.
    """
    make_workspace(settings)
    store, area = Stores(settings).workspace(), temporary_area(settings, lifetime_s)
    stop = threading.Event()
    pool = ThreadPoolExecutor(FILES_AT_ONCE)

    def send(name: str) -> FileEntry:
        sent = copy_stream(_counted(files[name], stop, on_bytes), store, f"{area.uri}{quote(os.fsencode(name))}")
        return FileEntry(name, sent.size, sent.sha256)

    try:
        entries = list(pool.map(send, files))
    except BaseException:
        stop.set()
        pool.shutdown(cancel_futures=True)
        _take_back(store, area)
        raise
    pool.shutdown()
    only = quote(os.fsencode(entries[0].name)) if len(entries) == 1 else ""
    return Upload(f"{SCHEME}{area.name}/{only}", area.expires, entries)


def _below(path: Path) -> Iterator[tuple[str, Path]]:
    full = path.expanduser().absolute()
    if full.is_file():
        yield full.name, full
        return
    if not full.is_dir():
        msg = f"{path}: is no file and no folder." if full.exists() else f"{path}: there is no such file or folder."
        raise SourceError(msg)
    files = sorted(each for each in full.rglob("*") if each.is_file())
    if not files:
        msg = f"{path}: the folder holds no file."
        raise SourceError(msg)
    yield from ((f"{full.name}/{each.relative_to(full).as_posix()}", each) for each in files)


def _counted(path: Path, stop: threading.Event, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    try:
        for block in file_blocks(path.resolve()):
            if stop.is_set():
                msg = f"{path}: the upload was stopped."
                raise StorageError(msg)
            on_bytes(len(block))
            yield block
    except StorageError:
        raise
    except OSError as error:
        msg = f"{path}: {error.strerror}."
        raise SourceError(msg) from error


def _take_back(store: Store, area: TemporaryArea) -> None:
    """As far as the store lets us; what stays is removed when its time has come."""
    with suppress(StorageError):
        for info in list(store.list(area.uri)):
            store.delete(info.uri)
