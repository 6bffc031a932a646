"""One multipart upload to S3: its parts, some in flight at once, and its end now or by another process."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from typing import Any

from triptych.errors import UnsupportedError
from triptych.storage.base import TransferLimits
from triptych.storage.parted import PartedUpload
from triptych.storage.s3_requests import bucket_key, map_errors

MOST_PARTS = 10_000
LEAST_PART_BYTES = 5 << 20
"""But for the last one."""
COPY_BYTES = 256 << 20
"""Of a part that the store copies, or somewhat more. Amazon's copy of a whole object ends at 5 GiB, as a part does."""
_MD5 = re.compile("[0-9a-f]{32}")


class Upload(PartedUpload):
    """A stream of one object, and its upload once there is a part to send."""

    def __init__(
        self, client: Any, bucket_key: Mapping[str, str], limits: TransferLimits, copy_bytes: int = COPY_BYTES
    ) -> None:
        super().__init__(limits, MOST_PARTS, LEAST_PART_BYTES, copy_bytes)
        self._client, self._bucket_key = client, bucket_key
        self._upload_id: str | None = None
        self._begins = threading.Lock()

    def finish(self) -> None:
        """Send the rest, wait for all parts, and make the object visible; a small one is one put."""
        if not self._parts.count:
            self._client.put_object(**self._bucket_key, Body=self._buffer.take(self._buffer.held))
            return
        _, upload_id, _, etags = self.pause()
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        self._client.complete_multipart_upload(**self._bucket_key, UploadId=upload_id, MultipartUpload={"Parts": parts})

    def pause(self) -> tuple[int, str, str | None, tuple[str, ...]]:
        """Send the rest and wait for all parts: size, upload's id, the etag that the whole will have, the parts' own.

        Any process can complete the upload with these.
        """
        if self._buffer.held or not self._parts.count:
            self._send(self._buffer.held)
        etags = self._parts.all_sent()
        self._parts.close()
        return self._size, self._begun(), _whole_etag(etags), tuple(etags)

    def abort(self) -> None:
        """Drop what was sent; nothing of it is visible, nor billed."""
        self._parts.close()
        if self._upload_id is not None:
            self._client.abort_multipart_upload(**self._bucket_key, UploadId=self._upload_id)

    def _begun(self) -> str:
        with self._begins:
            if self._upload_id is None:
                begun: str = self._client.create_multipart_upload(**self._bucket_key)["UploadId"]
                self._upload_id = begun
            return self._upload_id

    def _send_part(self, number: int, data: bytes) -> str:
        etag: str = self._client.upload_part(**self._bucket_key, UploadId=self._begun(), PartNumber=number, Body=data)[
            "ETag"
        ]
        return etag

    def _copy_part(self, number: int, source: str, begin: int, end: int) -> str:
        with map_errors(source):
            answer = self._client.upload_part_copy(
                **self._bucket_key,
                PartNumber=number,
                UploadId=self._begun(),
                CopySource=bucket_key(source),
                CopySourceRange=f"bytes={begin}-{end - 1}",
            )
        etag: str | None = answer.get("CopyPartResult", {}).get("ETag")
        if etag is None:
            msg = f"{source}: the store's answer does not say that it copied anything."
            raise UnsupportedError(msg)
        return etag


def _whole_etag(parts: list[str]) -> str | None:
    """As Amazon makes it: MD5 over the parts' MD5s, a dash, their number; None where a part's etag is no MD5.

    ['"90015098..."'] -> "<MD5 of these 16 bytes>-1"
    """
    plain = [etag.strip('"') for etag in parts]
    if not all(_MD5.fullmatch(etag) for etag in plain):
        return None
    return f"{hashlib.md5(bytes.fromhex(''.join(plain)), usedforsecurity=False).hexdigest()}-{len(plain)}"
