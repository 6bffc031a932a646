"""The folder below which caches lie: the worker's own, shut to other users of the machine, free of setuid files.

What an app leaves in its cache lies on the machine with a mode of the app's choice: a program that is setuid to the
worker, or to root, is as good as that user to whoever can reach and run it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from triptych.errors import ConfigError
from triptych.harmless import harmless_logger

NAMED = "machine"
"""Its file there in which the machine has a random name."""
_CACHES = frozenset({"shared", "apps", "inputs", "models", "storable.json", "_runs", NAMED})
"""What lies in the cache folder."""
_SPECIAL = stat.S_ISUID | stat.S_ISGID
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 64
"""So many folders within folders are looked into, each of which is open then; 0700 at the top holds for all."""
_log = harmless_logger(__name__)


def make_private(folder: Path) -> None:
    """Make the folder, mode 0700, when it is missing; shut one that holds nothing but caches. Raises OSError.

    ConfigError for one that belongs to another user, and for one that others use, too.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner, mode = folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)
    if {owner, folder.lstat().st_uid} - {os.getuid()}:
        msg = (
            f"[triptych] cache = {folder} belongs to user {owner}, and this worker is user {os.getuid()}: whoever "
            "owns it can replace what lies in it. Name a folder of the worker's own."
        )
        raise ConfigError(msg)
    if not mode & _OTHERS:
        return
    others = sorted({path.name for path in folder.iterdir() if not path.name.startswith(".verdicts-")} - _CACHES)
    if others:
        msg = (
            f"[triptych] cache = {folder} is open to other users (mode {mode:04o}), and holds more than caches, such "
            f"as {others[0]!r}. What apps leave there must be out of their reach: `chmod 700 {folder}`, or name a "
            "folder of its own."
        )
        raise ConfigError(msg)
    folder.chmod(0o700)


def strip_setuid(folder: Path) -> None:
    """Take setuid and setgid off all that lies below the folder; what cannot be looked at is a warning.

    Scripts may change it meanwhile: nothing is followed, and what is changed is what was looked at.
    """
    try:
        top = os.open(folder, _FOLDER)
    except OSError as error:
        _log.warning("%s is not searched for setuid files: %s", folder, error)
        return
    try:
        _strip_below(top, str(folder), 0)
    finally:
        os.close(top)


def _strip_below(folder: int, shown: str, depth: int) -> None:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                if mode & _SPECIAL and not stat.S_ISLNK(mode):
                    _strip(folder, entry.name)
                if stat.S_ISDIR(mode) and depth < _DEEPEST:
                    inner = os.open(entry.name, _FOLDER, dir_fd=folder)
                    try:
                        _strip_below(inner, f"{shown}/{entry.name}", depth + 1)
                    finally:
                        os.close(inner)
    except FileNotFoundError:
        pass  # Removed meanwhile.
    except OSError as error:
        _log.warning("%s is not searched for setuid files to its end: %s", shown, error.strerror)


def _strip(folder: int, name: str) -> None:
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISLNK(mode):
            # By its descriptor: it is this very file, whatever stands at its name by now.
            Path(f"/proc/self/fd/{handle}").chmod(stat.S_IMODE(mode) & ~_SPECIAL)
    finally:
        os.close(handle)
