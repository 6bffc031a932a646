"""One upload to Google Cloud Storage: small, by one request; else by a resumable session, a part at a time.

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
from triptych.storage.gcs_requests import map_errors
from triptych.storage.parallel import PartBuffer, PartSender

STEP_BYTES = 256 * 1024
"""Every part but the last is a multiple of this, as Google wants it."""
_KEPT = re.compile(r"bytes=0-(\d+)")


class Upload:
    """A stream of one object; one part is under way while the next is written."""

    staged: StagedObject

    def __init__(self, session: Any, blob: Any, uri: str, limits: TransferLimits) -> None:
        self._session, self._blob, self._uri = session, blob, uri
        self._part_bytes = max(limits.part_bytes // STEP_BYTES, 1) * STEP_BYTES
        self._buffer = PartBuffer()
        self.size = 0
        self._resumable: _Session | None = None
        self._parts: PartSender[Mapping[str, Any] | None] = PartSender(limits, 1)

    def write(self, data: bytes, /) -> int:
        """Keep the bytes until they are more than a part; a part is sent when the one before it is stored."""
        self._buffer.add(data)
        self.size += len(data)
        # The last part is never empty: it ends the upload.
        while self._buffer.held > self._part_bytes:
            with map_errors(self._uri):
                self._send(self._buffer.take(self._part_bytes))
        return len(data)

    def finish(self) -> None:
        """Send the rest, and make the object visible."""
        with map_errors(self._uri):
            if self._resumable is None:
                self._blob.upload_from_string(self._buffer.take(self._buffer.held), "application/octet-stream")
                return
            self._parts.all_sent()
            made = self._resumable.send(self._buffer.take(self._buffer.held), is_last=True)
            self._parts.close()
            self._check(made or {})

    def abort(self) -> None:
        """End the session; nothing of it was visible."""
        self._parts.close()
        if self._resumable is not None:
            with map_errors(self._uri):
                self._resumable.cancel()

    def _send(self, part: bytes) -> None:
        if self._resumable is None:
            self._resumable = _Session(self._session, self._blob.create_resumable_upload_session(), self._uri)
        self._parts.send(partial(self._resumable.send, part), len(part))

    def _check(self, made: Mapping[str, Any]) -> None:
        """Compare what the store has with what was written; Google does so itself, by the header of the last part."""
        assert self._resumable is not None
        if (made.get("size"), made.get("crc32c")) == (str(self.size), self._resumable.crc32c):
            return
        if generation := made.get("generation"):
            self._blob.delete(if_generation_match=int(generation))
        msg = f"{self._uri}: the store has other bytes than were written to it; they were removed."
        raise StorageError(msg)


class _Session:
    """Bytes in order to the URL of one resumable upload, each part until the server keeps all of it."""

    def __init__(self, session: Any, url: str, uri: str) -> None:
        import google_crc32c

        self._session, self._url, self._uri = session, url, uri
        self._begin = self._kept = 0
        self._is_unsure = False
        self._crc32c = google_crc32c.Checksum()

    @property
    def crc32c(self) -> str:
        """Of all bytes that were sent, as Google writes it."""
        return base64.b64encode(self._crc32c.digest()).decode()

    def send(self, data: bytes, is_last: bool = False) -> Mapping[str, Any] | None:
        """Send these bytes, again in part where the server did not keep them; the object's resource after the last."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        self._crc32c.update(data)
        self._begin = self._kept
        made: Mapping[str, Any] | None = DEFAULT_RETRY(partial(self._attempt, data, is_last))()
        if made is not None and not is_last:
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

    def _attempt(self, data: bytes, is_last: bool) -> Mapping[str, Any] | None:
        """From where the server is: an answer that was lost, and a part of which it kept only some, leave that open."""
        end = self._begin + len(data)
        total = str(end) if is_last else "*"
        made = self._put(b"", f"bytes */{total}") if self._is_unsure else None
        while made is None and (self._kept < end or is_last):
            before = self._kept
            rest = data[before - self._begin :] if before > self._begin else data
            made = self._put(rest, f"bytes {before}-{end - 1}/{total}" if rest else f"bytes */{total}", is_last)
            if made is None and self._kept <= before:
                msg = f"the server keeps {self._kept} bytes, and no more"
                raise ConnectionError(msg)  # So that it is tried again, after a while.
        return made

    def _put(self, data: bytes, where: str, is_last: bool = False) -> Mapping[str, Any] | None:
        """One request; the object's resource, or None when the server waits for more than it keeps by now."""
        from google.api_core.exceptions import from_http_response

        headers = {"Content-Range": where, "Content-Type": "application/octet-stream"}
        if is_last:
            headers["X-Goog-Hash"] = f"crc32c={self.crc32c}"
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
