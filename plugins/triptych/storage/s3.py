"""`s3://`: any S3-compatible store, through the client of Airflow's S3Hook."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote

from triptych.connections import s3_client
from triptych.errors import ObjectNotFoundError, SourceError, StorageAccessError, StorageError
from triptych.storage.base import BLOCK_BYTES, ObjectInfo, Store, TransferLimits, Writer


def connect(conn_id: str | None, limits: TransferLimits) -> Store:
    """A store over this Airflow connection, or over the environment's own credentials when it is None."""
    return S3Store(s3_client(conn_id), limits)


COPY_BYTES = 256 << 20
"""Larger objects are copied in parts of this size, several at once. Amazon's CopyObject ends at 5 GiB, and a copy in
parts at 10,000 of them: boto3 makes the parts larger where they would be more."""


class S3Store(Store):
    """Conditional puts for commits, multipart uploads for streams, ranged gets for reads."""

    def __init__(self, client: Any, limits: TransferLimits, copy_bytes: int = COPY_BYTES) -> None:
        """`client` is boto3's; objects above `copy_bytes` are copied in parts of that size."""
        self._client = client
        self._limits = limits
        self._copy_bytes = copy_bytes

    def stat(self, uri: str) -> ObjectInfo:
        """One HEAD request; the etag is the server's, without its quotes."""
        with _map_errors(uri):
            head = self._client.head_object(**_bucket_key(uri))
        return ObjectInfo(uri, head["ContentLength"], head["ETag"].strip('"'))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """A page of up to 1000 objects per request, while they are asked for; keys come back escaped in URIs."""
        bucket, key = _bucket_key(prefix).values()
        with _map_errors(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
            for page in pages:
                for item in page.get("Contents", ()):
                    uri = f"s3://{bucket}/{quote(item['Key'])}"
                    yield ObjectInfo(uri, item["Size"], item["ETag"].strip('"'))

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        """One GET for the whole range; what breaks off inside it is StorageError, and nothing is asked again here."""
        from botocore.exceptions import ClientError

        if length == 0:
            return
        wanted: dict[str, str] = _bucket_key(uri)
        if offset or length is not None:
            wanted["Range"] = f"bytes={offset}-{'' if length is None else offset + length - 1}"
        if etag is not None:
            wanted["IfMatch"] = f'"{etag}"'
        with _map_errors(uri):
            try:
                body = self._client.get_object(**wanted)["Body"]
            except ClientError as error:
                if _status(error) == 416:  # The object ends before `offset`, or is empty.
                    return
                raise
            try:
                yield from body.iter_chunks(BLOCK_BYTES)
            finally:
                body.close()

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        """Parts of `TransferLimits.part_bytes`, some in flight at once; they are dropped when the context raises."""
        upload = _Upload(self._client, _bucket_key(uri), self._limits)
        with _map_errors(uri):
            try:
                yield upload
                upload.finish()
            except BaseException as error:
                try:
                    upload.abort()
                except Exception as second:
                    error.add_note(f"{uri}: the parts sent so far could not be removed: {second}")
                raise

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        """A put with `If-None-Match: *`; tried again where another one of this key was under way."""
        from botocore.exceptions import ClientError

        with _map_errors(uri):
            for _ in range(5):
                try:
                    self._client.put_object(**_bucket_key(uri), Body=data, IfNoneMatch="*")
                except ClientError as error:
                    status = _status(error)
                    if status == 412:
                        return False
                    if status != 409:
                        raise
                    # 409: another put of this key was under way; the next try tells who won.
                else:
                    return True
        msg = f"{uri}: other writers were in the way five times."
        raise StorageError(msg)

    def copy(self, source: str, target: str, size: int | None = None) -> None:
        """CopyObject, or a copy in parts, by the server; a size that is known saves asking for it."""
        from boto3.s3.transfer import TransferConfig

        bucket, key = _bucket_key(target).values()
        parts = TransferConfig(
            multipart_threshold=self._copy_bytes,
            multipart_chunksize=self._copy_bytes,
            max_concurrency=self._limits.parallelism,
        )
        with _map_errors(source):
            if size is not None and size <= self._copy_bytes:
                self._client.copy_object(CopySource=_bucket_key(source), Bucket=bucket, Key=key)
                return
            self._client.copy(_bucket_key(source), bucket, key, Config=parts)

    def delete(self, uri: str) -> None:
        """One request, which the server answers alike whether the object was there or not."""
        with _map_errors(uri):
            self._client.delete_object(**_bucket_key(uri))


class _Upload:
    """A stream of one object: a plain put when it fits in one part, else a multipart upload, a few parts in flight."""

    def __init__(self, client: Any, bucket_key: dict[str, str], limits: TransferLimits) -> None:
        self._client, self._bucket_key = client, bucket_key
        self._limits = limits
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._pending: list[Future[dict[str, Any]]] = []
        self._parts: list[dict[str, Any]] = []
        self._count = 0

    def write(self, data: bytes, /) -> int:
        """Keep the bytes until they are a part; a full part is sent, and waited for when too many are under way."""
        self._buffer += data
        while len(self._buffer) >= self._limits.part_bytes:
            self._send(bytes(self._buffer[: self._limits.part_bytes]))
            del self._buffer[: self._limits.part_bytes]
        return len(data)

    def finish(self) -> None:
        """Send the rest, wait for all parts, and make the object visible; a small one is one put."""
        if self._upload_id is None:
            self._client.put_object(**self._bucket_key, Body=bytes(self._buffer))
            return
        if self._buffer:
            self._send(bytes(self._buffer))
        self._parts += [future.result() for future in self._pending]
        self._close()
        self._client.complete_multipart_upload(
            **self._bucket_key, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
        )

    def abort(self) -> None:
        """Drop what was sent; nothing of it is visible, nor billed."""
        self._close()
        if self._upload_id is not None:
            self._client.abort_multipart_upload(**self._bucket_key, UploadId=self._upload_id)

    def _send(self, part: bytes) -> None:
        if self._upload_id is None or self._pool is None:
            self._upload_id = self._client.create_multipart_upload(**self._bucket_key)["UploadId"]
            self._pool = ThreadPoolExecutor(self._limits.parallelism)
        if len(self._pending) >= self._limits.parallelism:
            self._parts.append(self._pending.pop(0).result())
        self._count += 1
        self._pending.append(self._pool.submit(self._put_part, self._count, part))

    def _put_part(self, number: int, part: bytes) -> dict[str, Any]:
        sent = self._client.upload_part(**self._bucket_key, UploadId=self._upload_id, PartNumber=number, Body=part)
        return {"PartNumber": number, "ETag": sent["ETag"]}

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _bucket_key(uri: str) -> dict[str, str]:
    """`s3://tests/a%20b` -> {"Bucket": "tests", "Key": "a b"}, as the client's calls take them."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": unquote(key)}


@contextmanager
def _map_errors(uri: str) -> Iterator[None]:
    """The client's errors as ours, with the URI."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _translated(uri, error) from error
    except (BotoCoreError, Boto3Error) as error:
        msg = f"{uri}: {error}. Check the connection's endpoint and credentials."
        raise StorageError(msg) from error


def _status(error: Any) -> int | None:
    """The HTTP status of a ClientError; None when there was no answer."""
    status: int | None = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _translated(uri: str, error: Any) -> Exception:
    status = _status(error)
    if status == 404:
        return ObjectNotFoundError(f"{uri}: there is no such object or bucket.")
    if status in (401, 403):
        return StorageAccessError(f"{uri}: the store refuses these credentials. Check the Airflow connection.")
    if status == 412:
        return SourceError(f"{uri}: the object changed after the job started. Launch the job again.")
    return StorageError(f"{uri}: {error}")
