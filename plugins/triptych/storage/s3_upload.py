"""One multipart upload to S3: its parts, some in flight at once, and its end now or by another process."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from triptych.storage.base import StagedObject, TransferLimits
from triptych.storage.parallel import PartBuffer, PartSender, growing_part_bytes

MOST_PARTS = 10_000
_MD5 = re.compile("[0-9a-f]{32}")


class Upload:
    """A stream of one object, and its upload once there is a part to send."""

    staged: StagedObject

    def __init__(self, client: Any, bucket_key: Mapping[str, str], limits: TransferLimits) -> None:
        self._client, self._bucket_key = client, bucket_key
        self._limits = limits
        self._buffer = PartBuffer()
        self._size = 0
        self._upload_id: str | None = None
        self._parts: PartSender[str] = PartSender(limits)

    def write(self, data: bytes, /) -> int:
        """Keep the bytes until they are a part; a full part is sent, and waited for when too many are under way."""
        self._buffer.add(data)
        self._size += len(data)
        while self._buffer.held >= self._part_bytes:
            self._send(Body=self._buffer.take(self._part_bytes))
        return len(data)

    def copy(self, source: Mapping[str, str], size: int, part_bytes: int) -> None:
        """Have the server copy this object's bytes; the parts are larger than `part_bytes` where they would be many."""
        part_bytes = max(part_bytes, -(-size // MOST_PARTS))
        for start in range(0, size, part_bytes):
            end = min(start + part_bytes, size)
            self._send(CopySource=source, CopySourceRange=f"bytes={start}-{end - 1}")
        self._size += size

    def finish(self) -> None:
        """Send the rest, wait for all parts, and make the object visible; a small one is one put."""
        if self._upload_id is None:
            self._client.put_object(**self._bucket_key, Body=self._buffer.take(self._buffer.held))
            return
        _, upload_id, _, etags = self.pause()
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        self._client.complete_multipart_upload(**self._bucket_key, UploadId=upload_id, MultipartUpload={"Parts": parts})

    def pause(self) -> tuple[int, str, str | None, tuple[str, ...]]:
        """Send the rest and wait for all parts: size, upload's id, the etag that the whole will have, the parts' own.

        Any process can complete the upload with these.
        """
        upload_id = self._begun()
        if self._buffer.held or not self._parts.count:
            self._send(Body=self._buffer.take(self._buffer.held))
        etags = self._parts.all_sent()
        self._parts.close()
        return self._size, upload_id, _whole_etag(etags), tuple(etags)

    def abort(self) -> None:
        """Drop what was sent; nothing of it is visible, nor billed."""
        self._parts.close()
        if self._upload_id is not None:
            self._client.abort_multipart_upload(**self._bucket_key, UploadId=self._upload_id)

    @property
    def _part_bytes(self) -> int:
        return growing_part_bytes(self._limits.part_bytes, self._parts.count, MOST_PARTS)

    def _begun(self) -> str:
        if self._upload_id is None:
            begun: str = self._client.create_multipart_upload(**self._bucket_key)["UploadId"]
            self._upload_id = begun
        return self._upload_id

    def _send(self, **part: Any) -> None:
        part["UploadId"] = self._begun()
        self._parts.send(partial(self._send_part, self._parts.count + 1, part), len(part.get("Body", b"")))

    def _send_part(self, number: int, part: Mapping[str, Any]) -> str:
        ask = self._client.upload_part_copy if "CopySource" in part else self._client.upload_part
        answer = ask(**self._bucket_key, PartNumber=number, **part)
        etag: str = answer.get("CopyPartResult", answer)["ETag"]
        return etag


def _whole_etag(parts: list[str]) -> str | None:
    """As Amazon makes it: MD5 over the parts' MD5s, a dash, their number; None where a part's etag is no MD5.

    ['"90015098..."'] -> "<MD5 of these 16 bytes>-1"
    """
    plain = [etag.strip('"') for etag in parts]
    if not all(_MD5.fullmatch(etag) for etag in plain):
        return None
    return f"{hashlib.md5(bytes.fromhex(''.join(plain)), usedforsecurity=False).hexdigest()}-{len(plain)}"
