"""One object's bytes from S3: what breaks off is gone on with, and of large ones several parts come at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from triptych.errors import StorageError
from triptych.storage.base import BLOCK_BYTES, TransferLimits
from triptych.storage.parallel import read_ahead
from triptych.storage.s3_requests import bucket_key, map_errors, status

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(?:\d+|\*)")


def blocks(
    client: Any, uri: str, offset: int, length: int | None, etag: str | None, limits: TransferLimits
) -> Iterator[bytes]:
    """The bytes from `offset`, `length` of them or to the end, all of one version; nothing where it ends before.

    SourceError when that is not `etag`.
    """
    version = _Version(client, uri, etag)
    with map_errors(uri):
        first = version.ask(offset, None if length is None else offset + length)
        if first is not None:
            yield from read_ahead(version.gone_on(first), offset, first.end, version.part, limits)


@dataclass(frozen=True)
class _Answer:
    """The body of an answer, which has the bytes from `begin` to `end` of the object."""

    body: Any
    begin: int
    end: int


class _Version:
    """One version of an object: the first answer's, unless an etag was given."""

    def __init__(self, client: Any, uri: str, etag: str | None) -> None:
        self._client, self._uri, self._etag = client, uri, etag

    def ask(self, begin: int, end: int | None) -> _Answer | None:
        """An answer with the bytes from `begin` to `end`, or to the last one; None where the object ends before."""
        from botocore.exceptions import ClientError

        wanted: dict[str, str] = bucket_key(self._uri)
        if begin or end is not None:
            wanted["Range"] = f"bytes={begin}-{'' if end is None else end - 1}"
        if self._etag is not None:
            wanted["IfMatch"] = f'"{self._etag}"'
        try:
            answer = self._client.get_object(**wanted)
        except ClientError as error:
            if status(error) == 416:
                return None
            raise
        self._etag = answer["ETag"].strip('"')
        if "Range" not in wanted:
            return _Answer(answer["Body"], 0, answer["ContentLength"])
        found = _RANGE.fullmatch(answer.get("ContentRange", ""))
        if found is None or int(found[1]) != begin:
            answer["Body"].close()
            msg = f"{self._uri}: the answer is not the range that was asked for, or was cut short."
            raise StorageError(msg)
        return _Answer(answer["Body"], begin, int(found[2]) + 1)

    def gone_on(self, answer: _Answer) -> Iterator[bytes]:
        """All that an answer has, by more of them where it breaks off, as long as each brings some."""
        from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

        position = answer.begin
        while True:
            try:
                for block in answer.body.iter_chunks(BLOCK_BYTES):
                    position += len(block)
                    yield block
            except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                if position == answer.begin:
                    raise
            else:
                return
            finally:
                answer.body.close()
            rest = self.ask(position, answer.end) if position < answer.end else None
            if rest is None:
                return
            answer = rest

    def part(self, offset: int, length: int) -> Iterator[bytes]:
        """So many bytes from `offset`; StorageError where they are not there."""
        answer = self.ask(offset, offset + length)
        if answer is None or answer.end != offset + length:
            msg = f"{self._uri}: ends before byte {offset + length}, unlike it said."
            raise StorageError(msg)
        return self.gone_on(answer)
