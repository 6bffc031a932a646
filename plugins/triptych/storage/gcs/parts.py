"""One multipart upload to Google Cloud Storage by its XML API: parts at once, each compared by the server as it comes.

google-cloud-storage has these requests for files on disk alone (`transfer_manager.upload_chunks_concurrently`). The API
has no conditions: who needs one writes aside and rewrites.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree

from triptych.errors import ObjectNotFoundError, StorageError
from triptych.storage.base import WaitingUpload
from triptych.storage.gcs.requests import blob_of, bucket_and_name, host

if TYPE_CHECKING:
    import requests

MOST_PARTS = 10_000
NOT_SERVED = (400, 401, 403, 404, 405, 501)
"""Answers to the first request of a server that has no such API (emulators have not), and where a role lacks
`storage.multipartUploads.create`. A resumable session is tried then: what else is wrong, its first answer says, too."""
_TYPE = "application/octet-stream"
_SPACE = "{*}"


class MultipartUpload:
    """Parts of one object, in any order and from any thread, seen by nobody until they are completed."""

    def __init__(self, client: Any, session: requests.Session, uri: str, upload_id: str) -> None:
        self._client, self._session, self._uri, self._upload_id = client, session, uri, upload_id
        self._url = _url(client, uri)

    def send(self, number: int, data: bytes) -> str:
        """Send a part, of which the server has to find this CRC32C; its etag."""
        where = {"partNumber": str(number), "uploadId": self._upload_id}
        headers = {"X-Goog-Hash": f"crc32c={crc32c_of(data)}", "Content-Type": _TYPE}
        answer = _asked(self._session, "PUT", self._url, where, data, headers)
        etag: str | None = answer.headers.get("ETag")
        if etag is None:
            msg = f"{self._uri}: the answer to part {number} was cut short: it has no ETag."
            raise StorageError(msg)
        return etag

    def complete(self, etags: Sequence[str], size: int, crc32c: str) -> None:
        """Make the parts an object; StorageError, and it is removed, where it has another size or CRC32C."""
        from google.api_core.exceptions import NotFound

        root = ElementTree.Element("CompleteMultipartUpload")
        for number, etag in enumerate(etags, 1):
            part = ElementTree.SubElement(root, "Part")
            ElementTree.SubElement(part, "PartNumber").text = str(number)
            ElementTree.SubElement(part, "ETag").text = etag
        try:
            answer = _asked(self._session, "POST", self._url, self._where, ElementTree.tostring(root), {})
            found = answer.headers.get("X-Goog-Hash", "")
            is_it = f"crc32c={crc32c}" in found if "crc32c=" in found else self._is_there(size, crc32c)
        except NotFound as error:
            # The client asked again, as the first answer was lost; or somebody ended the upload.
            if not self._is_there(size, crc32c):
                msg = f"{self._uri}: the server dropped this upload before its end (404)."
                raise StorageError(msg) from error
            return
        if not is_it:
            blob_of(self._client, self._uri).delete()
            msg = f"{self._uri}: the store has other bytes than were written to it; they were removed."
            raise StorageError(msg)

    def cancel(self) -> None:
        """Drop the parts; no error when they are gone."""
        from google.api_core.exceptions import NotFound

        try:
            _asked(self._session, "DELETE", self._url, self._where, None, {})
        except NotFound:
            return

    @property
    def _where(self) -> Mapping[str, str]:
        return {"uploadId": self._upload_id}

    def _is_there(self, size: int, crc32c: str) -> bool:
        from google.api_core.exceptions import NotFound

        blob = blob_of(self._client, self._uri)
        try:
            blob.reload()
        except NotFound:
            return False
        return (blob.size, blob.crc32c) == (size, crc32c)


def begin(client: Any, session: requests.Session, uri: str) -> MultipartUpload | None:
    """A new upload to this URI; None where it cannot be made in this way (NOT_SERVED)."""
    from google.api_core.exceptions import GoogleAPICallError

    try:
        answer = _asked(session, "POST", _url(client, uri), {"uploads": ""}, b"", {"Content-Type": _TYPE})
    except GoogleAPICallError as error:
        if error.code in NOT_SERVED:
            return None
        raise
    found = _parsed(answer, "InitiateMultipartUploadResult")
    upload_id = found.findtext(f"{_SPACE}UploadId") if found is not None else None
    return MultipartUpload(client, session, uri, upload_id) if upload_id else None


def waiting(client: Any, session: requests.Session, uri: str) -> list[WaitingUpload]:
    """Uploads in this way to exactly this URI, or, of one that ends in `/`, to what lies below it."""
    bucket, name = bucket_and_name(uri)
    where, found = {"uploads": "", "prefix": name}, []
    while True:
        page = _page(session, f"{host(client)}/{quote(bucket)}", where)
        if page is None:
            return []
        for item in page.iterfind(f"{_SPACE}Upload"):
            key, upload_id, begun = (item.findtext(_SPACE + tag) or "" for tag in ("Key", "UploadId", "Initiated"))
            if key == name or name.endswith("/") or not name:
                found.append(WaitingUpload(f"gs://{bucket}/{quote(key)}", 0, upload_id, begun=_seconds(begun)))
        if page.findtext(f"{_SPACE}IsTruncated") != "true":
            return found
        where["key-marker"] = page.findtext(f"{_SPACE}NextKeyMarker") or ""
        where["upload-id-marker"] = page.findtext(f"{_SPACE}NextUploadIdMarker") or ""


def _page(session: requests.Session, url: str, where: Mapping[str, str]) -> ElementTree.Element | None:
    """One page of uploads; None where there is no such bucket, and by a server without this API."""
    from google.api_core.exceptions import GoogleAPICallError

    try:
        return _parsed(_asked(session, "GET", url, where, None, {}), "ListMultipartUploadsResult")
    except GoogleAPICallError as error:
        if error.code in (400, 404, 405, 501):
            return None
        raise


def crc32c_of(data: bytes) -> str:
    """In base64, as Google writes it."""
    import google_crc32c

    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def _url(client: Any, uri: str) -> str:
    bucket, name = bucket_and_name(uri)
    if not bucket or not name:
        msg = f"{uri}: there is no such object. The URI of one is gs://BUCKET/NAME."
        raise ObjectNotFoundError(msg)
    return f"{host(client)}/{quote(bucket)}/{quote(name)}"


def _asked(
    session: requests.Session,
    method: str,
    url: str,
    where: Mapping[str, str],
    data: bytes | None,
    headers: Mapping[str, str],
) -> requests.Response:
    """The answer; asked again as Google's own client does."""
    from google.api_core.exceptions import from_http_response
    from google.cloud.storage.retry import DEFAULT_RETRY

    query = "&".join(f"{name}={quote(value, safe='')}" if value else name for name, value in where.items())

    def ask() -> requests.Response:
        answer = session.request(method, f"{url}?{query}", data=data, headers=headers)
        if answer.status_code >= 400:
            raise from_http_response(answer)
        return answer

    answer: requests.Response = DEFAULT_RETRY(ask)()
    return answer


def _parsed(answer: requests.Response, tag: str) -> ElementTree.Element | None:
    """The document, if it is one with this root."""
    try:
        found = ElementTree.fromstring(answer.content)
    except ElementTree.ParseError:
        return None
    return found if found.tag.rpartition("}")[2] == tag else None


def _seconds(text: str) -> float | None:
    """`2026-11-26T12:00:00.000Z` -> seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None
