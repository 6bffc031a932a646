"""Removing folders that programs filled which nobody trusts: of any depth and any modes, without following a link."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from triptych.harmless import harmless_logger

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OURS = 0o700
_WRITTEN_ON_FOLDERS = ("user.", "system.posix_acl_")
"""Extended attributes that whoever may write to a folder can leave on it."""
_log = harmless_logger(__name__)


def remove_folder(folder: Path) -> bool:
    """Remove the folder with all that it holds; whether it is gone. Never raises: what hinders is told as a warning.

    Three descriptors do for any depth (`shutil.rmtree` recurses, and a path ends at 4,096 bytes): what is a folder in a
    folder is moved up, beside the one that it is in, before that one is removed.
    """
    try:
        _remove(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        _log.warning("%s cannot be removed: %s", folder, error)
        return False
    return True


def empty_folder(folder: Path, mode: int) -> bool:
    """Remove what the folder holds, and what was written on the folder itself: its mode becomes `mode`.

    Whether nothing is left. Never raises: what hinders is told as a warning.
    """
    try:
        top = _opened(str(folder), None)
        try:
            error = _Emptying(top).empty()
            _remove_attributes(top)
            os.fchmod(top, mode)
        finally:
            os.close(top)
        if error:
            raise error
    except OSError as error:
        _log.warning("%s cannot be emptied: %s", folder, error)
        return False
    return True


def _remove_attributes(folder: int) -> None:
    try:
        names = os.listxattr(folder)
    except OSError:
        return  # Of a file system that has none.
    for name in names:
        if name.startswith(_WRITTEN_ON_FOLDERS):
            os.removexattr(folder, name)


def _remove(folder: Path) -> None:
    top = _opened(str(folder), None)
    try:
        error = _Emptying(top).empty()
    finally:
        os.close(top)
    if error:
        raise error
    folder.rmdir()


class _Emptying:
    """Empties the open folder `top`. As much goes as can; what stays is the first error."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._steps = 0
        self._error: OSError | None = None
        # No name that is there already: renaming would replace an empty folder of that name.
        self._moved = f".moved-{secrets.token_hex(8)}"

    def empty(self) -> OSError | None:
        """List the folder until nothing more goes: it grows while it is listed."""
        before = -1
        while before != self._steps:
            before, self._error = self._steps, None
            with os.scandir(self._top) as entries:
                for entry in entries:
                    self._go(entry, self._top)
        return self._error

    def _go(self, entry: os.DirEntry[str], parent: int) -> None:
        """Remove an entry of the folder `parent`; a folder that is not right below the top moves there instead."""
        try:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=parent)
            elif parent != self._top:
                self._move_up(entry.name, parent)
            else:
                self._remove_folder(entry.name)
            self._steps += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            self._error = self._error or error

    def _remove_folder(self, name: str) -> None:
        folder = _opened(name, self._top)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._go(entry, folder)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=self._top)

    def _move_up(self, name: str, parent: int) -> None:
        # A folder that moves changes its entry `..`: who is not root must be able to write it.
        os.close(_opened(name, parent))
        os.rename(name, f"{self._moved}-{self._steps}", src_dir_fd=parent, dst_dir_fd=self._top)


def _opened(name: str, parent: int | None) -> int:
    """The folder, opened, with the rights that emptying it needs; it may have been made without any."""
    try:
        folder = os.open(name, _OPEN, dir_fd=parent)
    except PermissionError:
        handle = os.open(name, _OPEN | os.O_PATH, dir_fd=parent)
        try:
            Path(f"/proc/self/fd/{handle}").chmod(_OURS)  # The folder itself, whatever stands at its name by now.
        finally:
            os.close(handle)
        folder = os.open(name, _OPEN, dir_fd=parent)
    if stat.S_IMODE(os.fstat(folder).st_mode) & _OURS != _OURS:
        with suppress(PermissionError):  # Somebody else's; perhaps its rights suffice.
            os.fchmod(folder, _OURS)
    return folder
