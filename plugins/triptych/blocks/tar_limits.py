"""What a tar that somebody else wrote may make its reader hold: short names, and so many of them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Self

MOST_MEMBERS = 50_000
"""Files, folders and links of one block's code: each is made on every worker that runs it."""
_MOST_EXTENSION_BYTES = 64 << 10
"""Of a header that goes on in blocks of its own, for a long name: Python's reader takes it into memory whole."""
_EXTENSIONS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class LimitedTarInfo(tarfile.TarInfo):
    """For `tarfile.open(..., tarinfo=LimitedTarInfo)`: ValueError at a header that would fill the memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """The member of this header."""
        info = super().frombuf(buf, encoding, errors)
        if info.type in _EXTENSIONS and info.size > _MOST_EXTENSION_BYTES:
            msg = f"a header of {info.size:,} bytes"
            raise ValueError(msg)
        return info


def limited_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members in their order; ValueError beyond MOST_MEMBERS."""
    for count, member in enumerate(tar, 1):
        if count > MOST_MEMBERS:
            msg = f"more than {MOST_MEMBERS:,} files and folders"
            raise ValueError(msg)
        yield member
