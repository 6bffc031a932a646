"""`s3://`: any S3-compatible store, through the client of Airflow's S3Hook."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

from triptych.connections import s3_client
from triptych.errors import ObjectConflictError, ObjectNotFoundError, StorageError
from triptych.schemas.services import Service
from triptych.storage.base import (
    LinkMethod,
    ObjectInfo,
    Stage,
    StagedObject,
    Store,
    TransferLimits,
    WaitingUpload,
    Writer,
)
from triptych.storage.links.s3 import prefer_version_4, signed_url
from triptych.storage.s3_answers import refuse_cut_answers
from triptych.storage.s3_download import blocks
from triptych.storage.s3_requests import bucket_key, map_errors, status
from triptych.storage.s3_upload import COPY_BYTES, Upload


def connect(conn_id: str | None, limits: TransferLimits, service: Service | None = None) -> Store:
    """A store over this Airflow connection, or over the environment's own credentials when it is None."""
    return S3Store(s3_client(conn_id, service), limits)


PUT_TRIES = 5
_MD5_OF_ANOTHER = base64.b64encode(hashlib.md5(b"not empty", usedforsecurity=False).digest()).decode()


class S3Store(Store):
    """Conditional puts for commits, multipart uploads for streams, ranged gets for reads."""

    uploads_wait = True

    def __init__(self, client: Any, limits: TransferLimits, copy_bytes: int = COPY_BYTES) -> None:
        """`client` is boto3's; large objects are copied in parts of `copy_bytes`, or somewhat more."""
        self._client = client
        refuse_cut_answers(client)
        prefer_version_4(client)
        self._limits = limits
        self._copy_bytes = copy_bytes

    @property
    def one_put_bytes(self) -> int:
        """What a stream would send as one part."""
        return self._limits.part_bytes

    def stat(self, uri: str) -> ObjectInfo:
        """One HEAD request; the etag is the server's, without its quotes."""
        with map_errors(uri):
            head = self._client.head_object(**bucket_key(uri))
        return ObjectInfo(uri, head["ContentLength"], head["ETag"].strip('"'))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """A page of up to 1000 objects per request, while they are asked for; keys come back escaped in URIs."""
        bucket, key = bucket_key(prefix).values()
        with map_errors(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
            for page in pages:
                for item in page.get("Contents", ()):
                    uri = f"s3://{bucket}/{quote(item['Key'])}"
                    yield ObjectInfo(uri, item["Size"], item["ETag"].strip('"'), item["LastModified"].timestamp())

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        """One GET, and beyond its first part ranges at once; what breaks off is gone on with, from the same version."""
        return iter(()) if length == 0 else blocks(self._client, uri, offset, length, etag, self._limits)

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        """Parts of `TransferLimits.part_bytes`, at first; they are dropped when the context raises."""
        with self._uploading(uri) as upload:
            yield upload
            upload.finish()

    @contextmanager
    def stage(self, uri: str, aside: str) -> Iterator[Stage]:
        """A multipart upload to the URI itself; `aside` is not used."""
        with self._uploading(uri) as upload:
            yield upload
            upload.staged = StagedObject(uri, *upload.pause())

    def stage_copy(self, source: str, size: int, uri: str, aside: str) -> StagedObject:
        """The server copies the bytes, in parts, into a multipart upload to the URI; `aside` is not used.

        They pass through us where it knows no such request, or refuses it.
        """
        with self._uploading(uri) as upload:
            if not upload.copied(source, 0, size):
                for block in self.stream(source, 0, size):
                    upload.write(block)
            return StagedObject(uri, *upload.pause())

    @contextmanager
    def _uploading(self, uri: str) -> Iterator[Upload]:
        upload = Upload(self._client, bucket_key(uri), self._limits, self._copy_bytes)
        with map_errors(uri):
            try:
                yield upload
            except BaseException as error:
                try:
                    upload.abort()
                except Exception as second:
                    error.add_note(f"{uri}: the parts sent so far could not be removed: {second}")
                raise

    def release(self, staged: StagedObject, replaces: str | None) -> str:
        """Complete the upload, on the condition that the store finds the key as it should be."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(staged.parts, 1)]
        where = {**bucket_key(staged.uri), "UploadId": staged.handle}

        def complete(condition: Mapping[str, str]) -> Mapping[str, str]:
            answer: Mapping[str, str] = self._client.complete_multipart_upload(
                **where, MultipartUpload={"Parts": parts}, **condition
            )
            return answer

        return _conditionally(complete, staged.uri, replaces)["ETag"].strip('"')

    def discard(self, staged: StagedObject) -> None:
        """Abort the upload; the server removes its parts."""
        with suppress(ObjectNotFoundError), map_errors(staged.uri):
            self._client.abort_multipart_upload(**bucket_key(staged.uri), UploadId=staged.handle)

    def waiting(self, uri: str) -> Sequence[WaitingUpload]:
        """One request for each page of uploads whose key begins as this one does."""
        bucket, key = bucket_key(uri).values()
        with map_errors(uri):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
            found = [item for page in pages for item in page.get("Uploads", ())]
        found = [item for item in found if item["Key"] == key or key.endswith("/")]
        return [
            WaitingUpload(
                f"s3://{bucket}/{quote(item['Key'])}", 0, item["UploadId"], begun=item["Initiated"].timestamp()
            )
            for item in found
        ]

    def put_replacing(self, uri: str, data: bytes, replaces: str | None) -> str:
        """A put on the condition that the store finds the key as it should be."""

        def put(condition: Mapping[str, str]) -> Mapping[str, str]:
            answer: Mapping[str, str] = self._client.put_object(**bucket_key(uri), Body=data, **condition)
            return answer

        return _conditionally(put, uri, replaces)["ETag"].strip('"')

    def delete_version(self, uri: str, etag: str) -> None:
        """Looked at first, then removed with `If-Match`, which some servers ignore."""
        with suppress(ObjectNotFoundError, ObjectConflictError):
            if self.stat(uri).etag == etag:

                def delete(condition: Mapping[str, str]) -> Mapping[str, str]:
                    answer: Mapping[str, str] = self._client.delete_object(**bucket_key(uri), **condition)
                    return answer

                _conditionally(delete, uri, etag)

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        """A put with `If-None-Match: *`; tried again where another one of this key was under way."""
        from botocore.exceptions import ClientError

        with map_errors(uri):
            for _ in range(PUT_TRIES):
                try:
                    self._client.put_object(**bucket_key(uri), Body=data, IfNoneMatch="*")
                except ClientError as error:
                    if status(error) == 412:
                        return False
                    if status(error) != 409:
                        raise
                    # 409: another put of this key was under way; the next try tells who won.
                else:
                    return True
        msg = f"{uri}: other writers were in the way {PUT_TRIES} times."
        raise StorageError(msg)

    def delete(self, uri: str) -> None:
        """One request, which the server answers alike whether the object was there or not."""
        with map_errors(uri):
            self._client.delete_object(**bucket_key(uri))

    def signed_url(self, uri: str, method: LinkMethod, expires_s: int) -> str:
        """For a week at most, and never for longer than the session of the credentials that sign."""
        return signed_url(self._client, uri, method, expires_s)

    def check_writable(self, prefix: str) -> None:
        """A put whose MD5 is that of another content: the server judges the rights, then refuses the bytes."""
        from botocore.exceptions import ClientError

        uri = f"{prefix}_triptych/probe-{secrets.token_hex(8)}"
        with map_errors(prefix):
            try:
                self._client.put_object(**bucket_key(uri), Body=b"", ContentMD5=_MD5_OF_ANOTHER)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in ("BadDigest", "InvalidDigest"):
                    raise
                return
        # A server that compares no MD5 has an empty object now.
        with suppress(StorageError):
            self.delete(uri)


def _conditionally(
    ask: Callable[[Mapping[str, str]], Mapping[str, str]], uri: str, replaces: str | None
) -> Mapping[str, str]:
    """Ask with `If-Match` or `If-None-Match`; without, of a server that has no conditions.

    ObjectConflictError when the condition does not hold.
    """
    from botocore.exceptions import ClientError

    condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": f'"{replaces}"'}
    with map_errors(uri):
        try:
            try:
                return ask(condition)
            except ClientError as error:
                if status(error) != 501:
                    raise
                return ask({})
        except ClientError as error:
            # Amazon's answer to If-Match where there is nothing is 404.
            if status(error) == 412 or error.response["Error"]["Code"] == "NoSuchKey":
                msg = f"{uri}: another object is there than the one to replace, or to create."
                raise ObjectConflictError(msg) from error
            raise
