"""One upload to Google Cloud Storage: small, by one request; else in parts at once, or by a session, one by one.

google-cloud-storage has such a stream, too (`Blob.open`). Its `terminate` does not end the session, and it does not go
on from a part of which the server keeps only the beginning.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from triptych.errors import StorageError
from triptych.storage.base import StagedObject, TransferLimits
from triptych.storage.gcs import parts
from triptych.storage.gcs.requests import blob_of, map_errors
from triptych.storage.parallel import PartBuffer, PartSender, growing_part_bytes

STEP_BYTES = 256 * 1024
"""Every part but the last is a multiple of this, as Google wants it."""
_KEPT = re.compile(r"bytes=0-(\d+)")


class Upload:
    """A stream of one object; parts are under way while the next is written."""

    staged: StagedObject

    def __init__(self, client: Any, session: Any, uri: str, limits: TransferLimits) -> None:
        import google_crc32c

        self._client, self._session, self._uri, self._limits = client, session, uri, limits
        self._blob = blob_of(client, uri)
        self._buffer = PartBuffer()
        self.crc32c = google_crc32c.Checksum()
        """Of all that was written."""
        self.size = 0
        self._way: _InParts | _InOrder | None = None

    def write(self, data: bytes, /) -> int:
        """Keep the bytes until they are more than a part; waits when too many parts are under way."""
        self._buffer.add(data)
        self.crc32c.update(data)
        self.size += len(data)
        # The last part is never empty: it ends the upload.
        while self._buffer.held > self._part_bytes:
            with map_errors(self._uri):
                self._begun().send(self._buffer.take(self._part_bytes))
        return len(data)

    def finish(self) -> None:
        """Send the rest, and make the object visible."""
        rest = self._buffer.take(self._buffer.held)
        with map_errors(self._uri):
            if self._way is None:
                self._blob.upload_from_string(rest, "application/octet-stream")
            else:
                self._way.finish(rest, self.size, base64.b64encode(self.crc32c.digest()).decode())

    def abort(self) -> None:
        """End the upload; nothing of it was visible."""
        if self._way is not None:
            with map_errors(self._uri):
                self._way.abort()

    @property
    def _part_bytes(self) -> int:
        part_bytes = max(self._limits.part_bytes // STEP_BYTES, 1) * STEP_BYTES
        sent = self._way.count if isinstance(self._way, _InParts) else 0
        return growing_part_bytes(part_bytes, sent, parts.MOST_PARTS)

    def _begun(self) -> _InParts | _InOrder:
        if self._way is None:
            upload = parts.begin(self._client, self._session, self._uri)
            if upload is not None:
                self._way = _InParts(upload, self._limits)
            else:
                url = self._blob.create_resumable_upload_session()
                self._way = _InOrder(_Session(self._session, url, self._uri), self._blob, self._limits)
        return self._way


class _InParts:
    """By the XML API: as many parts at once as there is room for."""

    def __init__(self, upload: parts.MultipartUpload, limits: TransferLimits) -> None:
        self._upload = upload
        self._parts: PartSender[str] = PartSender(limits)

    @property
    def count(self) -> int:
        """Of the parts so far."""
        return self._parts.count

    def send(self, part: bytes) -> None:
        """Begin with one more part."""
        self._parts.send(partial(self._upload.send, self.count + 1, part), len(part))

    def finish(self, rest: bytes, size: int, crc32c: str) -> None:
        """Make the object visible, once all is sent and has this size and CRC32C."""
        self.send(rest)
        self._upload.complete(self._parts.all_sent(), size, crc32c)
        self._parts.close()

    def abort(self) -> None:
        """Drop all parts."""
        self._parts.close()
        self._upload.cancel()


class _InOrder:
    """By a resumable session: one part is under way while the next is written."""

    def __init__(self, session: _Session, blob: Any, limits: TransferLimits) -> None:
        self._resumable, self._blob = session, blob
        self._parts: PartSender[Mapping[str, Any] | None] = PartSender(limits, 1)

    def send(self, part: bytes) -> None:
        """Begin with the next part, when the one before it is stored."""
        self._parts.send(partial(self._resumable.send, part), len(part))

    def finish(self, rest: bytes, size: int, crc32c: str) -> None:
        """Send the last part, and compare what the store has; Google does so itself, by a header of that part."""
        self._parts.all_sent()
        made = self._resumable.send(rest, crc32c) or {}
        self._parts.close()
        if (made.get("size"), made.get("crc32c")) == (str(size), crc32c):
            return
        if generation := made.get("generation"):
            self._blob.delete(if_generation_match=int(generation))
        msg = f"gs://{self._blob.bucket.name}/{self._blob.name}: the store has other bytes than were written to it; "
        msg += "they were removed."
        raise StorageError(msg)

    def abort(self) -> None:
        """End the session."""
        self._parts.close()
        self._resumable.cancel()


class _Session:
    """Bytes in order to the URL of one resumable upload, each part until the server keeps all of it."""

    def __init__(self, session: Any, url: str, uri: str) -> None:
        self._session, self._url, self._uri = session, url, uri
        self._begin = self._kept = 0
        self._is_unsure = False

    def send(self, data: bytes, last_crc32c: str | None = None) -> Mapping[str, Any] | None:
        """Send these bytes, again in part where the server did not keep them; the object's resource after the last.

        The last are those that come with the CRC32C of all.
        """
        from google.cloud.storage.retry import DEFAULT_RETRY

        self._begin = self._kept
        made: Mapping[str, Any] | None = DEFAULT_RETRY(partial(self._attempt, data, last_crc32c))()
        if made is not None and last_crc32c is None:
            msg = "the server ended the upload before its last part"
            raise ConnectionError(msg)
        return made

    def cancel(self) -> None:
        """End the session; no error when it is over."""
        answer = self._session.delete(self._url, headers={"Content-Length": "0"})
        # 499 is what Google says when it is done.
        if answer.status_code not in (200, 204, 404, 410, 499):
            msg = f"the session is still there: {answer.status_code} {answer.text[:200]}"
            raise StorageError(msg)

    def _attempt(self, data: bytes, last_crc32c: str | None) -> Mapping[str, Any] | None:
        """From where the server is: an answer that was lost, and a part of which it kept only some, leave that open."""
        end, is_last = self._begin + len(data), last_crc32c is not None
        total = str(end) if is_last else "*"
        made = self._put(b"", f"bytes */{total}") if self._is_unsure else None
        while made is None and (self._kept < end or is_last):
            before = self._kept
            rest = data[before - self._begin :] if before > self._begin else data
            made = self._put(rest, f"bytes {before}-{end - 1}/{total}" if rest else f"bytes */{total}", last_crc32c)
            if made is None and self._kept <= before:
                msg = f"the server keeps {self._kept} bytes, and no more"
                raise ConnectionError(msg)  # So that it is tried again, after a while.
        return made

    def _put(self, data: bytes, where: str, last_crc32c: str | None = None) -> Mapping[str, Any] | None:
        """One request; the object's resource, or None when the server waits for more than it keeps by now."""
        from google.api_core.exceptions import from_http_response

        headers = {"Content-Range": where, "Content-Type": "application/octet-stream"}
        if last_crc32c is not None:
            headers["X-Goog-Hash"] = f"crc32c={last_crc32c}"
        self._is_unsure = True
        answer = self._session.put(self._url, data=data, headers=headers, allow_redirects=False)
        if answer.status_code in (200, 201):
            return _resource(answer)
        if answer.status_code in (404, 410):
            # The URL itself is a secret: who has it can write there.
            msg = f"{self._uri}: the server dropped this upload before its end ({answer.status_code})."
            raise StorageError(msg)
        if answer.status_code != 308:
            raise from_http_response(answer)
        found = _KEPT.fullmatch(answer.headers.get("Range", ""))
        kept = int(found[1]) + 1 if found else 0
        if kept < self._begin:
            msg = f"the answer to a part was cut short, or the server lost bytes that it kept: {kept}"
            raise ConnectionError(msg)
        self._kept, self._is_unsure = kept, False
        return None


def _resource(answer: Any) -> Mapping[str, Any]:
    """What the store says of the object that it made."""
    try:
        made: Mapping[str, Any] = answer.json()
    except ValueError as error:
        msg = "the answer to the last part was cut short"
        raise ConnectionError(msg) from error
    return made
