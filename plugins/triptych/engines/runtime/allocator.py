"""The C library's allocator, told to keep what engines free for their next block."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""
LARGEST_KEPT_BYTES = 32 * 1024 * 1024
"""The most that glibc takes."""
KEPT_BYTES = 4 * LARGEST_KEPT_BYTES


def keep_freed_memory() -> None:
    """From now on, in this process; nothing where the C library is not glibc.

    Engines take and free a few blocks of about 1 MiB over and over. By default glibc gives such a block back to the
    system, and the kernel clears each of its pages when it is taken again, which costs more than reading it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
