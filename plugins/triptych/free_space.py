"""Free space that stays on a local file system, so that one large thing does not fail all that run there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import ChunkError, StorageError

MIB = 1 << 20


@dataclass(frozen=True)
class Reserve:
    """So many bytes stay free on the file system that `folder`, in `scratch`, is on."""

    folder: Path
    bytes: int

    def check(self, size: int, what: str, *, is_written: bool = False) -> None:
        """Before `size` bytes are written there, or after; `what` is "the input has".

        ChunkError where these leave less than the reserve; StorageError where less was free without them, too: that is
        no chunk's doing, and another worker may have room.
        """
        free = free_bytes(self.folder)
        without = free + size if is_written else free
        if without < self.bytes:
            raise StorageError(self._shortage(free))
        if without - size < self.bytes:
            msg = f"{what} {size / MIB:.1f} MiB, and {self._shortage(free)}"
            raise ChunkError(msg)

    def shortage(self, size: int = 0) -> str:
        """How much is free there, and what to do; empty where `size` bytes more leave the reserve."""
        free = free_bytes(self.folder)
        return self._shortage(free) if free - size < self.bytes else ""

    def _shortage(self, free: int) -> str:
        return (
            f"{free / MIB:.1f} MiB are free on the file system of [triptych] scratch ({self.folder}), of which "
            f"scratch_reserve_mib = {self.bytes // MIB} stay free. Make room there, or name a larger one."
        )


def free_bytes(folder: Path) -> int:
    """What who is not root may still write to the file system of this folder."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
