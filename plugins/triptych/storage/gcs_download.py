"""One object's bytes from Google Cloud Storage, as they are stored, each answer checked against what it says of itself.

google-cloud-storage writes into a stream, or keeps all in memory; this gives blocks as they are asked for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triptych.errors import SourceError, StorageError
from triptych.storage.base import BLOCK_BYTES

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_CRC32C = re.compile(r"crc32c=([\w+/]+=*)")


def blocks(session: Any, url: str, uri: str, offset: int, length: int | None, etag: str | None) -> Iterator[bytes]:
    """The bytes from `offset`, `length` of them or to the end, by one GET; nothing where the object ends before.

    What breaks off is gone on with, from the same version, as long as each answer brings some. StorageError where one
    brings none, or not what it announced, and for all of an object with another CRC32C. SourceError where the object
    is not the version `etag`.
    """
    from urllib3.exceptions import HTTPError

    whole = _Whole(uri)
    position, end = offset, None if length is None else offset + length
    while True:
        begin = position
        try:
            for block in _answered(session, url, position, end, etag, whole):
                position += len(block)
                yield block
        except HTTPError:
            if position == begin:
                raise
            etag = etag or whole.generation
            continue
        whole.check()
        return


class _Whole:
    """What the first answer says of all of an object, where it has all of it; compared when all has come."""

    def __init__(self, uri: str) -> None:
        import google_crc32c

        self.uri = uri
        self.crc32c = google_crc32c.Checksum()
        self.expected: str | None = None
        self.generation: str | None = None
        self.is_begun = False

    def begin(self, response: Any, offset: int | None) -> None:
        """Keep what this answer says, if it is the first."""
        if not self.is_begun:
            self.is_begun = True
            self.expected = _crc32c_of_whole(response, offset)
            self.generation = response.headers.get("X-Goog-Generation")

    def check(self) -> None:
        """StorageError where other bytes came than the store has."""
        if self.expected is not None and base64.b64encode(self.crc32c.digest()).decode() != self.expected:
            msg = f"{self.uri}: other bytes came than are stored: their CRC32C is not {self.expected}."
            raise StorageError(msg)


def _answered(
    session: Any, url: str, position: int, end: int | None, etag: str | None, whole: _Whole
) -> Iterator[bytes]:
    """What one GET brings, of which the first has all that there is to bring."""
    # As stored: Google would unpack an object of `Content-Encoding: gzip` for who takes no gzip, whatever its size.
    headers = {"Accept-Encoding": "gzip"}
    is_range = position > 0 or end is not None
    if is_range:
        headers["Range"] = f"bytes={position}-{'' if end is None else end - 1}"
    response = _opened(session, url, headers)
    with response:
        if response.status_code == 416:  # The object ends before `position`, or is empty.
            return
        if etag is not None and response.headers.get("X-Goog-Generation", etag) != etag:
            msg = f"{whole.uri}: the object changed after the job started. Launch the job again."
            raise SourceError(msg)
        yield from _checked(response, position if is_range else None, end, whole)


def _opened(session: Any, url: str, headers: Mapping[str, str]) -> Any:
    """The answer, whose body is not read yet; asked again as Google's own client does."""
    from google.api_core.exceptions import from_http_response
    from google.cloud.storage.retry import DEFAULT_RETRY

    def ask() -> Any:
        response = session.get(url, headers=headers, stream=True)
        if response.status_code < 400 or response.status_code == 416:
            return response
        with response:
            raise from_http_response(response)

    return DEFAULT_RETRY(ask)()


def _checked(response: Any, offset: int | None, end: int | None, whole: _Whole) -> Iterator[bytes]:
    expected = _announced(response, whole.uri, offset, end)
    whole.begin(response, offset)
    seen = 0
    for block in response.raw.stream(BLOCK_BYTES, decode_content=False):
        seen += len(block)
        if whole.expected is not None:
            whole.crc32c.update(block)
        yield block
    if seen != expected:
        msg = f"{whole.uri}: the answer was cut short: {seen} of {expected} bytes came."
        raise StorageError(msg)


def _announced(response: Any, uri: str, offset: int | None, end: int | None) -> int:
    """How many bytes the answer says that it has; StorageError where it does not, or has others than were asked for."""
    if offset is None:
        size = response.headers.get("Content-Length")
        # In chunks, the size is that of the object, and of nothing that was unpacked on the way.
        size = size or response.headers.get("X-Goog-Stored-Content-Length")
        if size is None:
            msg = f"{uri}: the answer was cut short: it has no Content-Length."
            raise StorageError(msg)
        return int(size)
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != offset or (end is not None and int(found[2]) >= end):
        msg = f"{uri}: the answer is not the range that was asked for, or was cut short."
        raise StorageError(msg)
    return int(found[2]) - int(found[1]) + 1


def _crc32c_of_whole(response: Any, offset: int | None) -> str | None:
    """What the store says that all of the object has, in base64; None for a part of it, and where it says none."""
    if offset is not None:
        found = _RANGE.fullmatch(response.headers["Content-Range"])
        if found is None or (int(found[1]), str(int(found[2]) + 1)) != (0, found[3]):
            return None
    said = _CRC32C.search(response.headers.get("X-Goog-Hash", ""))
    return said[1] if said else None
