"""A file of which there is nothing here: each range of it is asked for, by whoever reads it."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from triptych.engines.previews.messages import HEAD, WANTED

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class AskedFile(io.RawIOBase):
    """Readable and seekable; `size` bytes, that come by two pipes."""

    def __init__(self, size: int, ask: IO[bytes], given: IO[bytes]) -> None:
        self._size, self._ask, self._given, self._at = size, ask, given, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of any file; not before its beginning."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if begin + offset < 0:
            msg = "before the beginning of the file"
            raise OSError(msg)
        self._at = begin + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """All of what is asked for, up to the end of the file."""
        target = memoryview(buffer).cast("B")
        count = max(0, min(len(target), self._size - self._at))
        if count:
            self._ask.write(HEAD.pack(WANTED, self._at, count))
            self._ask.flush()
            data = self._given.read(count)
            if len(data) < count:
                raise EOFError
            target[:count] = data
            self._at += count
        return count
