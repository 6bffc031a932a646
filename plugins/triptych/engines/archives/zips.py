"""Zips that somebody else packed: what they state is believed only as far as it can be held, and counted beforehand."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from triptych.engines.api import Input
from triptych.engines.archives.members import BLOCK_BYTES, archive_errors
from triptych.engines.runtime.resources import resources

DIRECTORY_SHARE = 1 / 16
"""Of the engine's memory, for the directory as it stands in the file; read, it takes some twelve times as much."""
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_READ_BYTES = 4096
"""Of what is packed in another way at once: zipfile unpacks all that it has read, bzip2 to 80 MB at the worst."""


@contextmanager
def open_zip(item: Input, data: BinaryIO, form: str = "zip") -> Iterator[zipfile.ZipFile]:
    """The zip in `data`, the item's open stream; raises the item's error for none, and for too many files."""
    with archive_errors(item, form=form), zipfile.ZipFile(_Reads(item, data)) as archive:
        yield archive


def entry_blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, item: Input) -> Iterator[bytes]:
    """A file's bytes, never more than the directory states, in blocks of at most BLOCK_BYTES."""
    size = BLOCK_BYTES if entry.compress_type in _PLAIN else _READ_BYTES
    with archive_errors(item, entry.filename), archive.open(entry) as data:
        while block := data.read(size):
            yield block


class _Reads:
    """A file that refuses to be read in larger pieces than a directory may be: zipfile reads that at once."""

    def __init__(self, item: Input, data: BinaryIO) -> None:
        self._item, self._data = item, data
        self._most = resources().share(DIRECTORY_SHARE, "the directory of its files")
        self.seek, self.tell, self.seekable = data.seek, data.tell, data.seekable

    def read(self, size: int = -1) -> bytes:
        # Without a size, from near the end on.
        self._most.check(size, self._item, "Pack fewer files together.")
        return self._data.read(size)
