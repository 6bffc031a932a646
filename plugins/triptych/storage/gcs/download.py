"""One object's bytes from Google Cloud Storage, as they are stored, each answer checked against what it says of itself.

google-cloud-storage writes into a stream, or keeps all in memory; this gives blocks as they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triptych.errors import SourceError, StorageError
from triptych.storage.base import BLOCK_BYTES, TransferLimits
from triptych.storage.digests import compared
from triptych.storage.pinned import Answer, PinnedReads

if TYPE_CHECKING:
    import requests

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_CRC32C = re.compile(r"crc32c=([\w+/]+=*)")


def blocks(
    session: requests.Session,
    url: str,
    uri: str,
    offset: int,
    length: int | None,
    etag: str | None,
    limits: TransferLimits,
) -> Iterator[bytes]:
    """The bytes from `offset`, `length` of them or to the end, all of one version; nothing where it ends before.

    What breaks off is gone on with, as long as each answer brings some; of a large object several parts come at once.
    StorageError where an answer brings none, or not what it announced, and for all of an object with another CRC32C.
    SourceError where the object is not the version `etag`.
    """
    from google_crc32c import Checksum

    version = _Version(session, url, uri, etag)
    first = version.ask(offset, None if length is None else offset + length)
    if first is None:
        return
    yield from compared(version.read(first, limits), Checksum(), "CRC32C", _crc32c_of_whole(first), uri)


@dataclass(frozen=True)
class _Body:
    """`is_range`: no other bytes than those of the answer were asked for."""

    response: requests.Response
    is_range: bool

    def blocks(self) -> Iterator[bytes]:
        return self.response.raw.stream(BLOCK_BYTES, decode_content=False)

    def close(self) -> None:
        self.response.close()


class _Version(PinnedReads[_Body]):
    def __init__(self, session: requests.Session, url: str, uri: str, etag: str | None) -> None:
        super().__init__(uri)
        self._session, self._url, self._etag = session, url, etag

    @property
    def breaks(self) -> tuple[type[Exception], ...]:
        from urllib3.exceptions import HTTPError

        return (HTTPError,)

    def ask(self, begin: int, end: int | None) -> Answer[_Body] | None:
        """As `PinnedReads.ask`; SourceError where the object is another version."""
        # As stored: Google would unpack an object of `Content-Encoding: gzip` for who takes no gzip, whatever its size.
        headers = {"Accept-Encoding": "gzip"}
        is_range = begin > 0 or end is not None
        if is_range:
            headers["Range"] = f"bytes={begin}-{'' if end is None else end - 1}"
        response = _opened(self._session, self._url, headers)
        try:
            if response.status_code == 416:
                response.close()
                return None
            generation = response.headers.get("X-Goog-Generation", self._etag)
            if self._etag not in (None, generation):
                msg = f"{self.uri}: the object changed after the job started. Launch the job again."
                raise SourceError(msg)
            self._etag = generation
            length = _announced(response, self.uri, begin if is_range else None, end)
        except StorageError:
            response.close()
            raise
        return Answer(_Body(response, is_range), begin, begin + length)


def _opened(session: requests.Session, url: str, headers: Mapping[str, str]) -> requests.Response:
    """The answer, whose body is not read yet; asked again as Google's own client does."""
    from google.api_core.exceptions import from_http_response
    from google.cloud.storage.retry import DEFAULT_RETRY

    def ask() -> requests.Response:
        response = session.get(url, headers=headers, stream=True)
        if response.status_code < 400 or response.status_code == 416:
            return response
        with response:
            raise from_http_response(response)

    answer: requests.Response = DEFAULT_RETRY(ask)()
    return answer


def _announced(response: requests.Response, uri: str, offset: int | None, end: int | None) -> int:
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


def _crc32c_of_whole(answer: Answer[_Body]) -> str | None:
    """What the store says that all of the object has, in base64; None for a part of it, and where it says none."""
    headers = answer.body.response.headers
    if answer.body.is_range and headers["Content-Range"] != f"bytes 0-{answer.end - 1}/{answer.end}":
        return None
    said = _CRC32C.search(headers.get("X-Goog-Hash", ""))
    return said[1] if said else None
