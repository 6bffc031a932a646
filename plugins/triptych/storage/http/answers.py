"""What an HTTP answer says of an object: which bytes follow, how many it has, and which version it is (RFC 9110)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from triptych.errors import SourceError, StorageError
from triptych.storage.base import BLOCK_BYTES

if TYPE_CHECKING:
    from requests import Response

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_PACKED = {"gzip": (".gz", ".tgz", ".svgz"), "br": (".br",), "zstd": (".zst",), "compress": (".z",)}
"""Extensions of files that servers send with such a `Content-Encoding`, and that are meant as they lie there."""


@dataclass(frozen=True)
class Version:
    """Which version of an object it is: its size in bytes, if known, and what the server tells it by.

    `validator` is an ETag (`"v1"`, `W/"v1"`), else a `Last-Modified`, else empty.
    """

    size: int | None
    validator: str

    @property
    def etag(self) -> str:
        """As an ObjectInfo has it: `17:"v1"`."""
        return f"{self.size}:{self.validator}"

    @classmethod
    def of(cls, etag: str) -> Version:
        """What `etag` was made of."""
        size, _, validator = etag.partition(":")
        return cls(int(size), validator)

    @property
    def if_range(self) -> str | None:
        """What makes a server send the whole new object where the range would be of another; a strong ETag alone."""
        return self.validator if self.validator.startswith('"') else None


@dataclass(frozen=True)
class Answer:
    """An answer whose body, not read yet, has bytes of an object from `offset` on: `length` of them, if known.

    The object has `size` bytes, if known. `is_range` where the server heeds ranges.
    """

    uri: str
    response: Response
    size: int | None
    offset: int
    length: int | None
    is_range: bool

    def blocks(self, start: int, end: int | None) -> Iterator[bytes]:
        """What the body has of the bytes from `start` to `end`; urllib3's HTTPError where it breaks off."""
        position = self.offset
        is_long = end is not None and (self.length is None or self.offset + self.length > end)
        with self.response:
            while block := self.response.raw.read(BLOCK_BYTES, decode_content=False):
                first, position = max(0, start - position), position + len(block)
                over = max(0, position - end) if end is not None else 0
                if wanted := block[first : len(block) - over]:
                    yield wanted
                # What is read to its end leaves a connection that serves again.
                if is_long and end is not None and position >= end:
                    return

    def close(self) -> None:
        """Leave the body unread."""
        self.response.close()

    @property
    def version(self) -> Version:
        """As far as the answer says it."""
        headers = self.response.headers
        return Version(self.size, headers.get("ETag") or headers.get("Last-Modified") or "")

    @property
    def is_beyond(self) -> bool:
        """Whether the object ends before the range: the answer has no byte, and need not say its version."""
        return self.is_range and self.length == 0

    def check(self, version: Version) -> None:
        """SourceError, and the body left unread, where the object is another version by now."""
        mine = self.version
        if self.is_beyond:
            is_same = version.size is None or version.size <= self.offset
        else:
            is_same = mine.validator == version.validator and (None in (mine.size, version.size) or mine == version)
        if not is_same:
            self.close()
            raise changed(self.uri)


def read_answer(uri: str, response: Response, start: int) -> Answer:
    """An answer to a request for the bytes from `start` on; its status is 200, 206 or 416.

    StorageError for an answer that does not say where it ends, has other bytes than were asked for, or packed ones.
    """
    try:
        _check_encoding(uri, response)
        if response.status_code == 200:
            return _whole(uri, response)
        if response.status_code == 416:
            return _beyond(uri, response, start)
        return _part(uri, response, start)
    except BaseException:
        response.close()
        raise


def changed(uri: str) -> SourceError:
    """The error for an object that is not the one that the job began with."""
    return SourceError(f"{uri}: the object changed after the job started. Launch the job again.")


def _whole(uri: str, response: Response) -> Answer:
    text = response.headers.get("Content-Length")
    is_chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if not is_chunked and not (text and text.isdecimal()):
        # Nobody could tell one that broke off from a whole one.
        msg = (
            f"{uri}: the server does not say where its answer ends, neither by Content-Length nor in chunks: what "
            "breaks off would be taken for the whole. Fetch the file, and name the copy."
        )
        raise SourceError(msg)
    size = None if is_chunked else int(text or 0)
    return Answer(uri, response, size, 0, size, is_range=False)


def _part(uri: str, response: Response, start: int) -> Answer:
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != start or int(found[2]) < start:
        msg = f"{uri}: the answer is not the range that was asked for."
        raise StorageError(msg)
    length = int(found[2]) - start + 1
    said = response.headers.get("Content-Length", str(length))
    if said != str(length):
        msg = f"{uri}: the answer was cut short: it has {said} of {length} bytes."
        raise StorageError(msg)
    size = None if found[3] == "*" else int(found[3])
    return Answer(uri, response, size, start, length, is_range=True)


def _beyond(uri: str, response: Response, start: int) -> Answer:
    size = response.headers.get("Content-Range", "").removeprefix("bytes */")
    known = int(size) if size.isdecimal() else None
    if known is not None and known > start:
        msg = f"{uri}: the server refuses a range that lies inside the object."
        raise StorageError(msg)
    return Answer(uri, response, known, start, 0, is_range=True)


def _check_encoding(uri: str, response: Response) -> None:
    """SourceError for a body that was packed on the way, but for a file that lies there packed."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower().removeprefix("x-")
    extension = posixpath.splitext(unquote(urlsplit(uri).path))[1].lower()
    if encoding not in ("", "identity") and extension not in _PACKED.get(encoding, ()):
        msg = (
            f"{uri}: the server sends it packed (Content-Encoding: {encoding}), though asked not to: neither its size "
            "nor its ranges are the file's. Have the server send it as it is, or name a packed file, such as .gz."
        )
        raise SourceError(msg)
