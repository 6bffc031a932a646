"""`http://` and `https://`: files of web servers, as sources."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from triptych.connections import HttpAccess
from triptych.errors import StorageError, UnsupportedError
from triptych.storage.base import ObjectInfo
from triptych.storage.http.addresses import Reach
from triptych.storage.http.answers import Answer, Version, changed, read_answer
from triptych.storage.http.client import HttpClient, map_errors
from triptych.storage.http.guard import GuardedAdapter
from triptych.storage.http.spool import Spool, Spools
from triptych.storage.read_only import ReadOnlyStore

_BY_CONTENT = "sha256-"
"""What the validator of an object begins with that its server tells no version of, and that was read whole."""


class HttpStore(ReadOnlyStore):
    """Ranges where the server heeds them; else the whole object, kept on disk for who reads on.

    The etag is the size with the server's ETag, else its Last-Modified, else, where all of it had to be read, the
    SHA-256; a server that says none of these is trusted to change the size.
    """

    lists = False

    def __init__(self, access: HttpAccess, reach: Reach, spools: Spools, *, trusts_caller: bool) -> None:
        """With `trusts_caller`, whatever host a URI names is reached; redirects still lead to what `reach` permits."""
        self._client = HttpClient(access, GuardedAdapter(reach))
        self._reach = reach
        self._spools = spools
        self._trusts_caller = trusts_caller

    def stat(self, uri: str) -> ObjectInfo:
        """By a GET of the first byte: servers refuse HEAD, and links may be signed for GET alone.

        An object of unknown length is read, and kept.
        """
        answer = self._ask(uri, 0, 1)
        if answer.is_range and answer.size is None:
            answer.close()
            answer = self._ask(uri)
        if answer.size is None:
            return self._counted(answer)
        for _ in answer.blocks(0, 1):
            pass
        return ObjectInfo(uri, answer.size, answer.version.etag)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Refused: what a server has, only it knows."""
        msg = f"{prefix}: a web server lists nothing. Name each URL, or a manifest that does."
        raise UnsupportedError(msg)

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        """One GET for the whole range; what breaks off is gone on with, from the same version.

        Of a server without ranges the object is read whole, once per process.
        """
        if length == 0:
            return
        version = None if etag is None else Version.of(etag)
        spool = self._spools.find(uri, version)
        if spool is None and (version is None or not version.validator.startswith(_BY_CONTENT)):
            end = None if length is None else offset + length
            answer = self._ask(uri, offset, end, version)
            if answer.size is not None and answer.offset == offset:
                yield from self._body(answer, offset, end)
                return
            answer.close()
        if spool is None:
            spool = self._fetched(uri, version)
        yield from spool.blocks(offset, length)

    def _ask(self, uri: str, offset: int = 0, end: int | None = None, version: Version | None = None) -> Answer:
        """The answer to one GET, checked against the version, if that is known."""
        if self._trusts_caller:
            self._reach.allow_host(urlsplit(uri).hostname or "")
        headers = {"Accept-Encoding": "identity"}
        if offset or end is not None:
            headers["Range"] = f"bytes={offset}-{'' if end is None else end - 1}"
            if version is not None and version.if_range:
                headers["If-Range"] = version.if_range
        answer = read_answer(uri, self._client.get(uri, headers), offset)
        if version is not None:
            answer.check(version)
        return answer

    def _body(self, answer: Answer, position: int, end: int | None) -> Iterator[bytes]:
        """The bytes from `position` to `end`, of this answer and those that go on where one breaks off.

        Each must bring some, and be of a version that the server tells from others.
        """
        uri, version = answer.uri, answer.version
        last = answer.size if end is None or answer.size is None else min(end, answer.size)
        with map_errors(uri):
            while not answer.is_beyond:
                begin = position
                try:
                    for block in answer.blocks(position, last):
                        position += len(block)
                        yield block
                    if position == last or last is None:
                        return
                except HTTPError:
                    if position == begin or not version.validator:
                        raise
                if position == begin:
                    msg = f"{uri}: the answer was cut short: {position} of {last} bytes came."
                    raise StorageError(msg)
                answer = self._ask(uri, position, last, version)

    def _counted(self, answer: Answer) -> ObjectInfo:
        """What an object of unknown length turns out to be, once all of it is here."""
        spool = self._spools.write(answer.uri, self._body(answer, 0, None))
        version = Version(spool.size, answer.version.validator or f"{_BY_CONTENT}{spool.sha256}")
        self._spools.keep(answer.uri, version, spool)
        return ObjectInfo(answer.uri, spool.size, version.etag)

    def _fetched(self, uri: str, version: Version | None) -> Spool:
        """The whole object on disk; of many threads that want it, one asks the server."""
        with self._spools.one_at_a_time(uri):
            spool = self._spools.find(uri, version)
            if spool is not None:
                return spool
            is_known = version is not None and version.validator.startswith(_BY_CONTENT)
            answer = self._ask(uri, version=None if is_known else version)
            spool = self._spools.write(uri, self._body(answer, 0, None))
            found = Version(spool.size, f"{_BY_CONTENT}{spool.sha256}" if is_known else answer.version.validator)
            if version not in (None, found):
                raise changed(uri)
            self._spools.keep(uri, found, spool)
            return spool
