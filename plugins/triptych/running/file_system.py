"""Which kind of file system a folder is on: locks hold, and die with their process, only on a local one."""

from __future__ import annotations

import ctypes
import errno
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
