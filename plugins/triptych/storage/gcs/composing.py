"""One object of what is written and of whole objects that the store has already, which it puts together by itself.

Google composes whole objects of one bucket, 32 by a request, and tells the CRC32C of all.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from triptych.errors import StorageError
from triptych.harmless import harmless_logger
from triptych.storage.base import StagedObject, TransferLimits
from triptych.storage.gcs.requests import blob_of, bucket_and_name, map_errors
from triptych.storage.gcs.upload import Upload

MOST_COMPONENTS = 32
_log = harmless_logger(__name__)


class Composition:
    """A stream of one object; what is written between objects of the store's own is uploaded beside it, in sections."""

    staged: StagedObject

    def __init__(
        self,
        client: Any,
        session: Any,
        uri: str,
        limits: TransferLimits,
        stream: Callable[[str], Iterator[bytes]],
        rewrite: Callable[[str, str], object],
    ) -> None:
        """`stream` has the bytes of an object by its URI, `rewrite` copies one to another URI."""
        self._client, self._session, self._uri, self._limits = client, session, uri, limits
        self._stream, self._rewrite = stream, rewrite
        self._section: Upload | None = None
        self._components: list[str] = []
        self._own: list[str] = []
        """Of what is there by now: the object itself, and what lies beside it until that is whole."""
        self._crc32c: Any = None
        """Of all bytes, once there are some that were not written; else its upload has it."""
        self.size = 0

    def write(self, data: bytes, /) -> int:
        """As an upload does it."""
        if self._section is None:
            self._section = self._upload(self._place())
        self._section.write(data)
        self._count(data)
        return len(data)

    def copy(self, source: str, begin: int, end: int, blocks: Iterable[bytes]) -> None:
        """As `Stage.copy`; sent is what is no whole object, or small."""
        is_large = end - begin >= self._limits.part_bytes
        if not is_large or begin or not self._is_whole(source, end):
            for block in blocks:
                self.write(block)
            return
        self._begin_crc32c()
        self._end_section()
        self._components.append(self._in_this_bucket(source))
        for block in blocks:
            self._count(block)

    def finish(self) -> None:
        """Make the object, and remove what lies beside it."""
        if not self._components:
            (self._section or self._upload(self._place())).finish()
            return
        self._end_section()
        try:
            with map_errors(self._uri):
                self._compose()
        except StorageError as error:
            _log.info("%s is read and sent: the store does not put it together. %s", self._uri, error)
            self._send_all()
        self._compare()
        self._remove([uri for uri in self._own if uri != self._uri])

    def abort(self) -> None:
        """End what is sent, and remove what is there; nothing of it was to be seen."""
        try:
            if self._section is not None:
                self._section.abort()
        finally:
            self._remove({*self._own, self._uri})

    def _begin_crc32c(self) -> None:
        import google_crc32c

        if self._crc32c is None:
            self._crc32c = self._section.crc32c.copy() if self._section is not None else google_crc32c.Checksum()

    def _count(self, data: bytes) -> None:
        if self._crc32c is not None:
            self._crc32c.update(data)
        self.size += len(data)

    def _upload(self, uri: str) -> Upload:
        return Upload(self._client, self._session, uri, self._limits)

    def _place(self) -> str:
        """The object's own name at first, then one beside it, which begins with that."""
        self._own.append(f"{self._uri}.{len(self._own)}" if self._own else self._uri)
        return self._own[-1]

    def _is_whole(self, source: str, size: int) -> bool:
        blob = blob_of(self._client, source)
        with map_errors(source):
            blob.reload()
        return bool(blob.size == size)

    def _in_this_bucket(self, source: str) -> str:
        if bucket_and_name(source)[0] == bucket_and_name(self._uri)[0]:
            return source
        place = self._place()
        with map_errors(source):
            self._rewrite(source, place)
        return place

    def _end_section(self) -> None:
        if self._section is not None:
            self._section.finish()
            self._components.append(self._own[-1])
            self._section = None

    def _compose(self) -> None:
        """By as many requests as it takes; the last one makes the object."""
        names = self._components
        while len(names) > MOST_COMPONENTS:
            groups = [names[start : start + MOST_COMPONENTS] for start in range(0, len(names), MOST_COMPONENTS)]
            names = [self._put_together(group, self._place()) for group in groups]
        self._put_together(names, self._uri)

    def _put_together(self, names: Sequence[str], uri: str) -> str:
        from google.api_core.exceptions import NotFound, PreconditionFailed

        target = blob_of(self._client, uri)
        if uri == self._uri:
            with suppress(NotFound):
                target.reload()
        # Refused is what was done already, if its answer was lost; what is there is compared in the end.
        with suppress(PreconditionFailed):
            target.compose([blob_of(self._client, name) for name in names], if_generation_match=target.generation or 0)
        return uri

    def _send_all(self) -> None:
        upload = self._upload(self._uri)
        try:
            for name in self._components:
                for block in self._stream(name):
                    upload.write(block)
            upload.finish()
        except BaseException:
            upload.abort()
            raise

    def _compare(self) -> None:
        """StorageError where the object is not all that was written, and copied."""
        made = blob_of(self._client, self._uri)
        with map_errors(self._uri):
            made.reload()
        if (made.size, made.crc32c) != (self.size, base64.b64encode(self._crc32c.digest()).decode()):
            msg = f"{self._uri}: the store has other bytes than were written to it; they were removed."
            raise StorageError(msg)

    def _remove(self, uris: Iterable[str]) -> None:
        """What cannot be removed, who cleans up finds by its name."""
        from google.api_core.exceptions import NotFound

        for uri in uris:
            with suppress(StorageError), map_errors(uri), suppress(NotFound):
                blob_of(self._client, uri).delete()
