"""One object's bytes from S3: what breaks off is gone on with, and of large ones several parts come at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from triptych.errors import StorageError
from triptych.storage.base import BLOCK_BYTES, TransferLimits
from triptych.storage.pinned import Answer, PinnedReads
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
            yield from version.read(first, limits)


@dataclass(frozen=True)
class _Body:
    """`stream` is botocore's StreamingBody."""

    stream: Any

    def blocks(self) -> Iterator[bytes]:
        return self.stream.iter_chunks(BLOCK_BYTES)  # type: ignore[no-any-return]  # botocore has no types.

    def close(self) -> None:
        self.stream.close()


class _Version(PinnedReads[_Body]):
    def __init__(self, client: Any, uri: str, etag: str | None) -> None:
        super().__init__(uri)
        self._client, self._etag = client, etag

    @property
    def breaks(self) -> tuple[type[Exception], ...]:
        from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

        return IncompleteReadError, ReadTimeoutError, ResponseStreamingError

    def ask(self, begin: int, end: int | None) -> Answer[_Body] | None:
        """As `PinnedReads.ask`; SourceError where the object is another version."""
        from botocore.exceptions import ClientError

        wanted: dict[str, str] = bucket_key(self.uri)
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
        body = _Body(answer["Body"])
        if "Range" not in wanted:
            return Answer(body, 0, answer["ContentLength"])
        found = _RANGE.fullmatch(answer.get("ContentRange", ""))
        if found is None or int(found[1]) != begin:
            body.close()
            msg = f"{self.uri}: the answer is not the range that was asked for, or was cut short."
            raise StorageError(msg)
        return Answer(body, begin, int(found[2]) + 1)
