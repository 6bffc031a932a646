"""Attempts' temporary folders, each with a lock that the kernel lets go when the attempt's process ends.

Beside a folder `attempt-<token>` lies its lock, `attempt-<token>.lock`. Who holds the lock owns the folder; a lock that
can be taken is a dead attempt's. No process is asked for by name: pids and host names repeat in other namespaces.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triptych.errors import ConfigError, StorageError
from triptych.harmless import harmless_logger
from triptych.running.file_system import LOCK_FLAGS, is_held, is_locked, is_still, remote_file_system
from triptych.running.removal import remove_folder

_NEW, _ATTEMPT, _LOCK = ".new-", "attempt-", ".lock"
_ROOT = 0
_log = harmless_logger(__name__)


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """One folder per attempt, for all its temporary files; those of dead attempts are removed first.

    ConfigError where `root` is on a file system whose locks do not die with their process, or where another user could
    put folders of their own in place of attempts'; StorageError where it cannot be written to.
    """
    remote = remote_file_system(root)
    if remote:
        msg = (
            f"[triptych] scratch = {root} is on {remote}. Attempts' folders are told apart by locks that end with "
            "their process, which only a local file system has: name a local folder."
        )
        raise ConfigError(msg)
    try:
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        _check_ours(root)
        remove_dead(root)
        lock, held = _new_lock(root)
    except OSError as error:
        msg = (
            f"[triptych] scratch = {root}: {error.strerror}. Make room there, or name a folder that can be written to."
        )
        raise StorageError(msg) from error
    try:
        folder = lock.with_suffix("")
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove(lock)
        os.close(held)


def _check_ours(root: Path) -> None:
    """Who owns a folder, or may write to it, can rename what lies in it, but for a sticky one: `/tmp` has that bit."""
    owners = {root.lstat().st_uid, root.stat().st_uid} - {os.geteuid(), _ROOT}
    mode = root.stat().st_mode
    if owners or (mode & stat.S_IWOTH and not mode & stat.S_ISVTX):
        who = f"belongs to user {min(owners)}" if owners else f"can be written to by every user ({stat.filemode(mode)})"
        msg = (
            f"[triptych] scratch = {root}: {who}, who could put other data in place of an attempt's. Name a folder of "
            f"the worker's own user ({os.geteuid()})."
        )
        raise ConfigError(msg)


def remove_dead(root: Path) -> None:
    """Remove the folders below `root` whose attempts have ended; those that cannot be removed are left."""
    for lock in (*root.glob(f"{_ATTEMPT}*{_LOCK}"), *root.glob(f"{_NEW}*{_LOCK}")):
        try:
            held = os.open(lock, LOCK_FLAGS)
        except OSError:
            continue  # Gone by now, or another user's.
        try:
            # An open description of its own: even our own process's other attempts exclude us.
            if is_locked(held) and is_still(lock, held):
                _remove(lock)
        except OSError as error:
            _log.warning("%s is left for a later attempt to remove: %s", lock, error)
        finally:
            os.close(held)


def dead_attempts(root: Path) -> list[Path]:
    """The folders that `remove_dead` would remove; nothing is touched."""
    return [lock.with_suffix("") for lock in root.glob(f"{_ATTEMPT}*{_LOCK}") if is_held(lock) is False]


def _new_lock(root: Path) -> tuple[Path, int]:
    """A lock that nobody has ever seen without its holder: it is taken under another name."""
    while True:
        token = secrets.token_hex(8)
        new, lock = root / f"{_NEW}{token}{_LOCK}", root / f"{_ATTEMPT}{token}{_LOCK}"
        held = os.open(new, LOCK_FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if is_locked(held) and is_still(new, held):
                new.rename(lock)
                return lock, held
        except BaseException:
            os.close(held)
            raise
        os.close(held)  # Somebody took it for a dead attempt's, in the moment before it was ours.


def _remove(lock: Path) -> None:
    """Remove the folder, then its lock, which is held; a lock stays as long as its folder does. Never raises."""
    if remove_folder(lock.with_suffix("")):
        try:
            lock.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be removed: %s", lock, error)
