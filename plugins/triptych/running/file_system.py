"""Which kind of file system a folder is on, and locks on files there, which die with the process that holds them.

Locks are the kernel's (flock): each open description of a file has its own, so that threads exclude each other, too.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Mapping
from pathlib import Path

_REMOTE: Mapping[int, str] = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x65735546: "FUSE",
}
"""`f_type` of statfs(2), from linux/magic.h."""
LOCK_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_STATFS_BYTES = 256
"""More than any platform's `struct statfs`, which begins with `f_type`, a long."""


def remote_file_system(folder: Path) -> str | None:
    """NFS, SMB, CIFS or FUSE where the folder is on one, or would be when it were made; else None."""
    if sys.platform != "linux":
        return None
    for place in (folder, *folder.parents):
        kind = _kind(place)
        if kind is not None:
            return _REMOTE.get(kind)
    return None


def open_lock(path: Path) -> int:
    """A new open description of a lock's file, which is made when it is missing."""
    return os.open(path, LOCK_FLAGS | os.O_CREAT, 0o600)


def is_locked(descriptor: int, *, is_shared: bool = False) -> bool:
    """Whether the lock is ours now; nobody waits for one. Several can share it, and then none has it alone."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool | None:
    """Whether somebody holds the lock at this path; None where there is none, or none that we may look at."""
    try:
        descriptor = os.open(path, LOCK_FLAGS)
    except OSError:
        return None
    try:
        return not is_locked(descriptor)
    finally:
        os.close(descriptor)


def is_still(path: Path, descriptor: int) -> bool:
    """Whether the open file is the one at this path: a remover may have been here before we had its lock."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _kind(folder: Path) -> int | None:
    """`f_type` of the file system; None where there is no such folder."""
    answer = ctypes.create_string_buffer(_STATFS_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(os.fsencode(folder), answer) == 0:
        return ctypes.c_long.from_buffer(answer).value & 0xFFFFFFFF
    code = ctypes.get_errno()
    if code in (errno.ENOENT, errno.ENOTDIR):
        return None
    raise OSError(code, os.strerror(code), str(folder))
