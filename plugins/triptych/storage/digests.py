"""What a store says of all bytes of an object, compared with those that come."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Protocol

from triptych.errors import StorageError


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
