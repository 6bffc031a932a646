"""A proxy in front of fake-gcs-server that heeds what Google documents, and that server (1.54) does not.

- Conditions (`ifGenerationMatch`, `ifSourceGenerationMatch`) on reading, deleting and rewriting; it has those on puts.
- Resumable uploads: a part that is sent again is not stored twice, a session can be asked how much it keeps, the hash
  of the last part is compared, and a session that was cancelled stays so.
- A rewrite of a large object takes more than one request.
- Signed URLs: their signatures and times are looked at.
- A composition is of 32 objects at most.
- Multipart uploads of the XML API, whose parts are compared with their hash and are of 5 MiB at least.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree

import google_crc32c

from tests.support import google_links
from tests.support.forwarding import Answer, Forwarding, serving

LARGE_BYTES = 5 << 20
"""What is larger is rewritten by two requests."""
LEAST_PART_BYTES = 5 << 20
_SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
MOST_COMPONENTS = 32
_COMPOSED = re.compile(r"/storage/v1/b/([^/]+)/o/([^/?]+)/compose")
_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/?]+)(?:/rewriteTo/b/([^/]+)/o/([^/?]+))?")


@dataclass
class Session:
    """One resumable upload: what it keeps, and what became of it."""

    bucket: str
    metadata: dict[str, str]
    kept: bytearray = field(default_factory=bytearray)
    made: Answer | None = None
    is_cancelled: bool = False


@dataclass
class Multipart:
    """One upload of the XML API: its parts by number, and whether it still waits."""

    bucket: str
    name: str
    parts: dict[int, bytes] = field(default_factory=dict)
    is_open: bool = True


@dataclass
class GoogleRules:
    """`asked` has every request ("POST /path?query"), `sessions` and `uploads` every upload that was begun, in order.

    `keeps` is how many bytes a session takes of one request, all unless a test says less: Google promises none.
    `spoils` is whether a byte of each upload changes on its way, and `compares` whether its hash is looked at.
    `has_parts` is whether the XML API has multipart uploads. `stored` is called before each part is answered.
    `composes` is whether objects are put together. `sent` counts the bytes of all requests.
    """

    endpoint: str = ""
    asked: list[str] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    uploads: dict[str, Multipart] = field(default_factory=dict)
    has_parts: bool = True
    composes: bool = True
    sent: int = 0
    stored: Callable[[], object] = lambda: None
    keeps: int | None = None
    spoils: bool = False
    compares: bool = True
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def open_sessions(self) -> list[Session]:
        """Those that wait for more bytes."""
        return [each for each in self.sessions.values() if each.made is None and not each.is_cancelled]


@contextmanager
def google_rules(upstream: str) -> Iterator[GoogleRules]:
    """Pass requests on to `upstream`, those above as Google would answer them."""
    rules = GoogleRules()

    class Handler(_Handler):
        upstream_host = urlsplit(upstream).netloc
        state = rules

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as rules.endpoint:
        yield rules


class _Handler(Forwarding):
    state: GoogleRules

    def forward(self) -> None:
        body = self.body()
        self.state.asked.append(f"{self.command} {self.path}")
        self.state.sent += len(body)
        self.answer(self._answered(body))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = forward

    def _answered(self, body: bytes) -> Answer:
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        query = {name: values[0] for name, values in asked.items()}
        if "X-Goog-Signature" in query:
            refused = google_links.refusal(self.command, self.path, dict(self.headers))
            return _error(403, refused) if refused else self._request(self.command, self.path, body)
        if {"uploads", "uploadId"} & set(query) and self.state.has_parts:
            return self._on_parts(query, body)
        if "upload_id" in query:
            session = self.state.sessions.get(query["upload_id"])
            return self._in_session(session, body) if session else _error(410, "Not Found")
        if query.get("uploadType") == "resumable":
            return self._begin_session(body)
        if composed := _COMPOSED.match(urlsplit(self.path).path):
            with self.state.lock:
                return self._composed(composed, query, body)
        if (
            not {"ifGenerationMatch", "ifSourceGenerationMatch", "rewriteToken"} & set(query)
            and "/rewriteTo/" not in self.path
        ):
            return self.ask(body)
        named = _OBJECT.match(urlsplit(self.path).path)
        if named is None:  # A put, whose condition the server heeds itself.
            return self.ask(body)
        with self.state.lock:
            return self._on_condition(named, query, body)

    def _on_condition(self, named: re.Match[str], query: dict[str, str], body: bytes) -> Answer:
        source = self._resource(f"/storage/v1/b/{named[1]}/o/{named[2]}")
        is_rewrite = named[3] is not None
        target = self._resource(f"/storage/v1/b/{named[3]}/o/{named[4]}") if is_rewrite else source
        if source is None:
            return _error(404, "No such object")
        wanted = query.get("ifGenerationMatch")
        if wanted is not None and wanted != (target or {}).get("generation", "0"):
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        if query.get("ifSourceGenerationMatch", source["generation"]) != source["generation"]:
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        size = int(source["size"])
        if is_rewrite and size > LARGE_BYTES and "rewriteToken" not in query:
            said = {"kind": "storage#rewriteResponse", "totalBytesRewritten": str(LARGE_BYTES), "objectSize": str(size)}
            return _json(200, {**said, "done": False, "rewriteToken": f"more-of-{source['generation']}"})
        return self.ask(body)

    def _composed(self, named: re.Match[str], query: dict[str, str], body: bytes) -> Answer:
        target = self._resource(f"/storage/v1/b/{named[1]}/o/{named[2]}") or {}
        if not self.state.composes:
            return _error(403, "The caller may not compose.")
        if len(json.loads(body)["sourceObjects"]) > MOST_COMPONENTS:
            return _error(400, "The number of source components provided exceeds the maximum (32).")
        if query.get("ifGenerationMatch") != target.get("generation", "0"):
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        return self._request("POST", urlsplit(self.path).path, body)

    def _begin_session(self, body: bytes) -> Answer:
        bucket = urlsplit(self.path).path.split("/")[5]
        if self._resource(f"/storage/v1/b/{bucket}") is None:
            return _error(404, "The specified bucket does not exist.")
        upload_id = uuid.uuid4().hex
        self.state.sessions[upload_id] = Session(unquote(bucket), json.loads(body))
        location = f"http://{self.headers['Host']}{self.path}&upload_id={upload_id}"
        return Answer(200, {"Location": location}, b"")

    def _in_session(self, session: Session, body: bytes) -> Answer:
        if self.command == "DELETE":
            session.is_cancelled = session.made is None
            return Answer(499, {}, b"")
        if session.is_cancelled:
            return _error(499, "cancelled")
        if session.made is not None:
            return session.made
        where = _RANGE.fullmatch(self.headers["Content-Range"])
        assert where is not None, self.headers["Content-Range"]
        if where[1] is not None:
            begin, kept = int(where[1]), len(session.kept)
            assert begin <= kept, "A part was left out."
            assert len(body) == int(where[2]) + 1 - begin, "A part of another length than it says."
            is_last = where[3] != "*"
            assert is_last or len(body) % (256 << 10) == 0, "Google takes multiples of 256 KiB."
            session.kept += body[kept - begin :][: self.state.keeps]
        if where[3] != str(len(session.kept)):
            headers = {"Range": f"bytes=0-{len(session.kept) - 1}"} if session.kept else {}
            return Answer(308, headers, b"")
        session.kept[0] ^= self.state.spoils
        said = self.headers.get("X-Goog-Hash", crc32c(session.kept))
        if self.state.compares and said != crc32c(session.kept):
            return _error(400, f"Provided {said}, calculated {crc32c(session.kept)}.")
        session.made = self._stored(session)
        return session.made

    def _stored(self, session: Session) -> Answer:
        name = quote(session.metadata["name"], "")
        path = f"/upload/storage/v1/b/{quote(session.bucket)}/o?uploadType=media&name={name}"
        return self._request("POST", path, bytes(session.kept))

    def _on_parts(self, query: dict[str, str], body: bytes) -> Answer:
        bucket, _, name = unquote(urlsplit(self.path).path).removeprefix("/").partition("/")
        if self.command == "GET":
            return self._listed(bucket, query.get("prefix", ""))
        if "uploads" in query:
            if self._resource(f"/storage/v1/b/{quote(bucket)}") is None:
                return _xml(404, "Error", Code="NoSuchBucket")
            upload_id = uuid.uuid4().hex
            self.state.uploads[upload_id] = Multipart(bucket, name)
            return _xml(200, "InitiateMultipartUploadResult", Bucket=bucket, Key=name, UploadId=upload_id)
        upload = self.state.uploads.get(query["uploadId"])
        if upload is None or not upload.is_open or (upload.bucket, upload.name) != (bucket, name):
            return _xml(404, "Error", Code="NoSuchUpload")
        if self.command == "PUT":
            return self._part(upload, int(query["partNumber"]), bytearray(body))
        if self.command == "DELETE":
            upload.is_open = False
            return Answer(204, {}, b"")
        return self._completed(upload, body)

    def _part(self, upload: Multipart, number: int, body: bytearray) -> Answer:
        assert 1 <= number <= 10_000, "Google takes 10,000 parts."
        body[0] ^= self.state.spoils
        said = self.headers.get("X-Goog-Hash", crc32c(body))
        if self.state.compares and said != crc32c(body):
            return _xml(400, "Error", Code="BadDigest", Message=f"Provided {said}, calculated {crc32c(body)}.")
        upload.parts[number] = bytes(body)
        self.state.stored()
        return Answer(200, {"ETag": _etag(body), "X-Goog-Hash": crc32c(body)}, b"")

    def _completed(self, upload: Multipart, body: bytes) -> Answer:
        asked = [(int(part[0].text or ""), part[1].text) for part in ElementTree.fromstring(body)]
        if asked != [(number, _etag(upload.parts.get(number, b""))) for number in sorted(upload.parts)]:
            return _xml(400, "Error", Code="InvalidPart")
        *before, _ = (upload.parts[number] for number, _ in asked)
        if any(len(part) < LEAST_PART_BYTES for part in before):
            return _xml(400, "Error", Code="EntityTooSmall")
        data = b"".join(upload.parts[number] for number, _ in asked)
        path = f"/upload/storage/v1/b/{quote(upload.bucket)}/o?uploadType=media&name={quote(upload.name, '')}"
        made = json.loads(self._request("POST", path, data).data)
        upload.is_open = False
        said = {"X-Goog-Hash": crc32c(data), "X-Goog-Generation": made["generation"]}
        answer = _xml(200, "CompleteMultipartUploadResult", Bucket=upload.bucket, Key=upload.name)
        return Answer(200, {**answer.headers, **said}, answer.data)

    def _listed(self, bucket: str, prefix: str) -> Answer:
        found = [
            _element("Upload", Key=each.name, UploadId=upload_id, Initiated="2026-11-26T12:00:00.000Z")
            for upload_id, each in self.state.uploads.items()
            if each.is_open and each.bucket == bucket and each.name.startswith(prefix)
        ]
        answer = _xml(200, "ListMultipartUploadsResult", Bucket=bucket, IsTruncated="false")
        root = ElementTree.fromstring(answer.data)
        root.extend(found)
        return Answer(200, answer.headers, ElementTree.tostring(root))

    def _resource(self, path: str) -> dict[str, str] | None:
        answer = self._request("GET", path)
        found: dict[str, str] = json.loads(answer.data) if answer.status == 200 else {}
        return found or None

    def _request(self, method: str, path: str, body: bytes = b"") -> Answer:
        connection = http.client.HTTPConnection(self.upstream_host, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/octet-stream"})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


def crc32c(data: bytes | bytearray) -> str:
    """As Google's headers have it."""
    return f"crc32c={base64.b64encode(google_crc32c.Checksum(bytes(data)).digest()).decode()}"


def _etag(data: bytes | bytearray) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _element(tag: str, **said: str) -> ElementTree.Element:
    made = ElementTree.Element(_SPACE + tag)
    for name, value in said.items():
        ElementTree.SubElement(made, _SPACE + name).text = value
    return made


def _xml(status: int, tag: str, **said: str) -> Answer:
    return Answer(status, {"Content-Type": "application/xml"}, ElementTree.tostring(_element(tag, **said)))


def _json(status: int, said: object) -> Answer:
    return Answer(status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(said).encode())


def _error(status: int, message: str) -> Answer:
    return _json(status, {"error": {"code": status, "message": message, "errors": [{"message": message}]}})
