"""Stores that jobs can only read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from triptych.errors import UnsupportedError
from triptych.storage.base import Stage, StagedObject, Store, WaitingUpload, Writer


class ReadOnlyStore(Store):
    """Every verb that would change something is UnsupportedError, with no request made."""

    uploads_wait = False
    one_put_bytes = 0

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        """Refused."""
        self._refuse(uri)
        yield  # What makes it a context.

    def delete(self, uri: str) -> None:
        """Refused."""
        self._refuse(uri)

    @contextmanager
    def stage(self, uri: str, aside: str) -> Iterator[Stage]:
        """Refused."""
        self._refuse(uri)
        yield  # What makes it a context.

    def stage_copy(self, source: str, size: int, uri: str, aside: str) -> StagedObject:
        """Refused."""
        self._refuse(uri)

    def release(self, staged: StagedObject, replaces: str | None) -> str:
        """Refused."""
        self._refuse(staged.uri)

    def discard(self, staged: StagedObject) -> None:
        """Refused."""
        self._refuse(staged.uri)

    def waiting(self, uri: str) -> Sequence[WaitingUpload]:
        """None ever."""
        return ()

    def put_replacing(self, uri: str, data: bytes, replaces: str | None) -> str:
        """Refused."""
        self._refuse(uri)

    def delete_version(self, uri: str, etag: str) -> None:
        """Refused."""
        self._refuse(uri)

    def check_writable(self, prefix: str) -> None:
        """Refused."""
        self._refuse(prefix)

    def _refuse(self, uri: str) -> NoReturn:
        msg = (
            f"{uri}: {uri.partition(':')[0]}:// can only be read: it is a source, and neither a destination nor a "
            "workspace. Name a folder, or a prefix of an object store."
        )
        raise UnsupportedError(msg)
