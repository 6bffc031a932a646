"""Digests of what passes: SHA-256 beside its way, and what a store says of all bytes, compared with those that come."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from triptych.errors import StorageError

BESIDE_BYTES = 4 << 20
"""So many bytes are hashed before a thread is worth it."""
_LEAST_BLOCK_BYTES = 64 << 10


class Sha256:
    """SHA-256 of blocks in their order; of a long stream each is hashed by a thread while the caller moves it on."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._seen = 0
        self._pool: ThreadPoolExecutor | None = None  # Its thread ends when nobody has it any more.
        self._pending: Future[None] | None = None

    def update(self, block: bytes) -> None:
        """One more block, once the one before it is hashed."""
        self._wait()
        self._seen += len(block)
        # What may be changed by who wrote it is hashed before it is theirs again.
        if self._seen < BESIDE_BYTES or len(block) < _LEAST_BLOCK_BYTES or type(block) is not bytes:
            self._digest.update(block)
            return
        self._pool = self._pool or ThreadPoolExecutor(1)
        self._pending = self._pool.submit(self._digest.update, block)

    def hexdigest(self) -> str:
        """Of all blocks so far."""
        self._wait()
        return self._digest.hexdigest()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None


class Digest(Protocol):
    """As those of hashlib."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def compared(blocks: Iterable[bytes], digest: Digest, name: str, expected: str | None, uri: str) -> Iterator[bytes]:
    """Pass all blocks of an object on; StorageError after the last unless they have this digest, in base64.

    `name` is what the digest is called; None is expected where the store says nothing of all of the object.
    """
    for block in blocks:
        if expected is not None:
            digest.update(block)
        yield block
    if expected is not None and base64.b64encode(digest.digest()).decode() != expected:
        msg = f"{uri}: other bytes came than are stored: their {name} is not {expected}."
        raise StorageError(msg)
