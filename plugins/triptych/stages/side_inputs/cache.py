"""A worker's side inputs, by their content: each is fetched once, whatever number of its processes want it.

<cache>/inputs/<key>/data                the file, or the folder; whole and checked, as it came by a rename
<cache>/inputs/<key>.lock                shared by those who use it; its time is that of the last use
<cache>/inputs/<version>.json            the digests of a version that was read before
<cache>/inputs/.new-<version>/           being fetched, by who holds `.new-<version>.lock`
<cache>/inputs/.old-<key>                being removed
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from triptych.errors import IntegrityError, StorageError
from triptych.harmless import harmless_logger
from triptych.jobs.side_inputs import SideInput
from triptych.running import Stop
from triptych.running.file_system import LOCK_FLAGS, is_locked, is_still, open_lock
from triptych.running.removal import remove_folder
from triptych.running.rights.private_folders import make_private
from triptych.settings import Settings
from triptych.stages.side_inputs.fetching import is_untouched

DATA = "data"
INPUTS = "inputs"
"""The folder, in the cache of a worker."""
POLL_S = 0.1
"""A wait for a lock without end would not notice Ctrl-C."""
_NEW, _OLD, _LOCK, _KNOWN = ".new-", ".old-", ".lock", ".json"
_log = harmless_logger(__name__)

Fetch = Callable[[SideInput, Path], SideInput]
"""Writes a side input to a path that is free, and says its files' digests; IntegrityError where it knows others."""


@dataclass(frozen=True)
class Evicted:
    """What was taken back, and what is left: numbers of side inputs, and their bytes."""

    removed: int
    removed_bytes: int
    kept: int
    kept_bytes: int


class InputCache:
    """The folder `inputs` of one worker's cache. `stop` ends waits and fetches."""

    def __init__(self, settings: Settings, stop: Stop | None = None) -> None:
        """StorageError where the folder cannot be made; ConfigError where it is, or may be, another user's, too."""
        self._settings, self._stop = settings, stop or Stop()
        self._root = settings.cache / INPUTS
        with self._telling():
            make_private(settings.cache)
            self._root.mkdir(mode=0o700, exist_ok=True)

    def freeze(self, side: SideInput, fetch: Fetch) -> SideInput:
        """With its files' digests: as they are known of this version here, else as it is fetched now."""
        with self._telling():
            known = self._known(side)
            if known is None:
                with self._held(side, fetch) as (known, _):
                    pass
            return known

    @contextmanager
    def hold(self, side: SideInput, fetch: Fetch) -> Iterator[Path]:
        """Where a frozen side input lies, for reading only; it stays there, as it is, while the context lasts."""
        with ExitStack() as stack:
            with self._telling():
                _, path = stack.enter_context(self._held(side, fetch))
            yield path

    def evict(self, wanted_bytes: int = 0, *, is_dry_run: bool = False) -> Evicted:
        """Remove what was not used for `input_cache_days`, then the longest unused, until `wanted_bytes` more fit.

        Nothing that anybody holds. What dead processes left half is removed, too.
        """
        entries = sorted(self._entries(), key=lambda entry: entry.used)
        total, removed, removed_bytes = sum(entry.size for entry in entries), 0, 0
        oldest = time.time() - self._settings.input_cache_s
        for entry in entries:
            is_too_much = total + wanted_bytes > self._settings.input_cache_bytes
            if (is_too_much or entry.used < oldest) and self._is_removed(entry.key, is_dry_run=is_dry_run):
                total, removed, removed_bytes = total - entry.size, removed + 1, removed_bytes + entry.size
        if not is_dry_run:
            self._remove_left(oldest)
        return Evicted(removed, removed_bytes, len(entries) - removed, total)

    @contextmanager
    def _held(self, side: SideInput, fetch: Fetch) -> Iterator[tuple[SideInput, Path]]:
        """The side input, with its digests, and where it lies."""
        while True:
            known = side if _is_frozen(side) else self._known(side)
            if known is not None:
                with self._locked(self._lock_of(known), is_shared=True) as lock:
                    if is_untouched(known, self._data_of(known)):
                        os.utime(lock)
                        yield known, self._data_of(known)
                        return
                self._drop_touched(known)
            with ExitStack() as stack:
                fetched = self._fetched(side, fetch, stack)
                if fetched is not None:
                    yield fetched, self._data_of(fetched)
                    return

    def _fetched(self, side: SideInput, fetch: Fetch, stack: ExitStack) -> SideInput | None:
        """Fetched by us, and held by the stack; None when others have done it, or it is known by now."""
        new = self._root / f"{_NEW}{side.version}"
        with self._locked(new.with_name(f"{new.name}{_LOCK}")) as lock:
            known = side if _is_frozen(side) else self._known(side)
            if known is not None and self._data_of(known).exists():
                return None
            try:
                remove_folder(new)  # Of one who died.
                self.evict(side.size)
                new.mkdir(mode=0o700)
                started = time.monotonic()
                fetched = fetch(side, new / DATA)
                shared = stack.enter_context(self._locked(self._lock_of(fetched), is_shared=True))
                if not self._data_of(fetched).exists():  # Else it has come from elsewhere meanwhile.
                    # Whole, or not at all. Another one's may come first even now: that is the same.
                    _install(new, self._data_of(fetched).parent)
                os.utime(shared)
                self._keep_known(fetched)
            finally:
                remove_folder(new)
                lock.unlink(missing_ok=True)
        seconds = time.monotonic() - started
        _log.info("Input %s: %s bytes fetched in %.1f s.", side.name, f"{side.size:,}", seconds)
        return fetched

    def _drop_touched(self, side: SideInput) -> None:
        """Remove what was written to, so that it is fetched anew; IntegrityError where somebody uses it."""
        folder = self._data_of(side).parent
        if folder.exists() and not self._is_removed(side.key, is_dry_run=False):
            msg = (
                f"Input {side.name}: {folder} was written to, and is used by a job at this moment. A script can do "
                "that only where the runner isolates nothing ([triptych] runner = process). Try again later."
            )
            raise IntegrityError(msg)

    @contextmanager
    def _locked(self, path: Path, *, is_shared: bool = False) -> Iterator[Path]:
        """The lock at this path, which is made when it is missing; waits for it."""
        while True:
            held = open_lock(path)
            try:
                while not is_locked(held, is_shared=is_shared):
                    self._stop.check()
                    time.sleep(POLL_S)
                if is_still(path, held):
                    yield path
                    return
            finally:
                os.close(held)

    def _entries(self) -> Iterator[_Entry]:
        for folder in self._root.iterdir():
            if not folder.name.startswith(".") and folder.is_dir():
                with suppress(FileNotFoundError):  # Removed meanwhile.
                    used = folder.with_name(f"{folder.name}{_LOCK}").stat().st_mtime
                    yield _Entry(folder.name, used, _size(folder))

    def _is_removed(self, key: str, *, is_dry_run: bool) -> bool:
        """Whether nobody holds it, so that it could be removed."""
        lock, folder = self._root / f"{key}{_LOCK}", self._root / key
        held = open_lock(lock)
        try:
            if not is_locked(held) or not is_still(lock, held):
                return False
            if not is_dry_run:
                old = folder.with_name(f"{_OLD}{key}")
                remove_folder(old)
                folder.rename(old)
                lock.unlink()
                remove_folder(old)
        except OSError as error:
            _log.warning("%s is left in the cache: %s", folder, error)
            return False
        finally:
            os.close(held)
        return True

    def _remove_left(self, oldest: float) -> None:
        """What processes left that died while they fetched or removed; what was known of versions long ago."""
        for old in self._root.glob(f"{_OLD}*"):
            remove_folder(old)
        for lock in self._root.glob(f"*{_LOCK}"):  # Hidden ones, too.
            folder = lock.with_suffix("")
            if lock.name.startswith(_NEW) or not folder.exists():
                _remove_unheld(lock, folder)
        for known in self._root.glob(f"*{_KNOWN}"):
            with suppress(FileNotFoundError):
                if known.stat().st_mtime < oldest:
                    known.unlink()

    def _known(self, side: SideInput) -> SideInput | None:
        """With the digests that were found when this version was read; None where it was not."""
        path = self._root / f"{side.version}{_KNOWN}"
        try:
            digests = json.loads(path.read_text(encoding="utf-8"))
            os.utime(path)
        except (OSError, ValueError):
            return None
        return _with_digests(side, digests)

    def _keep_known(self, side: SideInput) -> None:
        # Of a web server's etag the size may be all: nobody could tell that such an object changed.
        if not any(file.source.etag.endswith(":") for file in side.files):
            path = self._root / f"{side.version}{_KNOWN}"
            part = path.with_name(f"{_NEW}{path.name}")  # Nobody else writes it: we hold the version's lock.
            part.write_text(json.dumps([file.sha256 for file in side.files]), encoding="utf-8")
            part.rename(path)

    def _lock_of(self, side: SideInput) -> Path:
        return self._root / f"{side.key}{_LOCK}"

    def _data_of(self, side: SideInput) -> Path:
        return self._root / side.key / DATA

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """The file system's refusal as the error of a setting."""
        try:
            yield
        except OSError as error:
            msg = (
                f"[triptych] cache = {self._settings.cache}: {error.strerror or error}. Side inputs are kept there: "
                "make room, or name a folder that can be written to."
            )
            raise StorageError(msg) from error


@dataclass(frozen=True)
class _Entry:
    key: str
    used: float
    size: int


def _install(new: Path, folder: Path) -> None:
    """Make it the entry, at once; nothing, where another one came first."""
    try:
        new.rename(folder)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _remove_unheld(lock: Path, folder: Path) -> None:
    """Remove the folder, if it is there, then its lock; unless somebody holds that."""
    try:
        held = os.open(lock, LOCK_FLAGS)
    except FileNotFoundError:
        return
    try:
        if is_locked(held) and is_still(lock, held) and remove_folder(folder):
            lock.unlink()
    finally:
        os.close(held)


def _is_frozen(side: SideInput) -> bool:
    return all(file.sha256 for file in side.files)


def _with_digests(side: SideInput, digests: list[str]) -> SideInput | None:
    if len(digests) != len(side.files):
        return None
    files = (replace(file, sha256=digest) for file, digest in zip(side.files, digests, strict=True))
    return replace(side, files=tuple(files))


def _size(folder: Path) -> int:
    """In bytes, of all files below it."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
