"""`gs://`: Google Cloud Storage, through the client of Airflow's GCSHook."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from urllib.parse import quote

from triptych.connections import gcs_client
from triptych.errors import ObjectConflictError, ObjectNotFoundError, StorageError
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
from triptych.storage.gcs import parts
from triptych.storage.gcs.composing import Composition
from triptych.storage.gcs.download import blocks
from triptych.storage.gcs.requests import blob_of, bucket_and_name, etag_of, map_errors, media_url, session
from triptych.storage.gcs.upload import Upload
from triptych.storage.links.gcs import signed_url


def connect(conn_id: str | None, limits: TransferLimits) -> Store:
    """A store over this Airflow connection, or over the environment's own credentials when it is None."""
    return GcsStore(gcs_client(conn_id), limits)


LISTED = "items(name,size,generation,updated),nextPageToken"
NO_GENERATION = 1
"""No object's: Google's are microseconds since 1970."""


class GcsStore(Store):
    """Writes on the condition of a generation, which is the etag; what is staged lies aside, and Google rewrites it."""

    uploads_wait = False

    def __init__(self, client: Any, limits: TransferLimits) -> None:
        """`client` is google.cloud.storage's."""
        self._client = client
        self._session = session(client)
        self._limits = limits

    @property
    def one_put_bytes(self) -> int:
        """What a stream would send by one request."""
        return self._limits.part_bytes

    def stat(self, uri: str) -> ObjectInfo:
        """One request for the object's metadata."""
        blob = blob_of(self._client, uri)
        with map_errors(uri):
            blob.reload()
            return ObjectInfo(uri, blob.size, etag_of(blob))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """A page of up to 1000 objects per request, while they are asked for, by name; names are escaped in URIs."""
        bucket, name = bucket_and_name(prefix)
        with map_errors(prefix):
            for blob in self._client.list_blobs(bucket, prefix=name, fields=LISTED):
                yield ObjectInfo(
                    f"gs://{bucket}/{quote(blob.name)}", blob.size, etag_of(blob), blob.updated.timestamp()
                )

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        """One GET, and beyond its first part ranges at once; what breaks off is gone on with, from the same version."""
        if length == 0:
            return
        url = media_url(self._client, blob_of(self._client, uri), etag)
        with map_errors(uri):
            yield from blocks(self._session, url, uri, offset, length, etag, self._limits)

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        """Parts of `TransferLimits.part_bytes`, at first; they are dropped when the context raises."""
        upload = Upload(self._client, self._session, uri, self._limits)
        with _ended(upload, uri):
            yield upload
            upload.finish()

    @contextmanager
    def stage(self, uri: str, aside: str) -> Iterator[Stage]:
        """An object aside; the release is a rewrite by the server."""
        made = Composition(self._client, self._session, aside, self._limits, self.stream, self._rewrite)
        with _ended(made, aside):
            yield made
            made.finish()
            made.staged = StagedObject(uri, made.size, aside)

    def stage_copy(self, source: str, size: int, uri: str, aside: str) -> StagedObject:
        """The server copies the bytes aside, and once more to the URI when it is released."""
        with map_errors(source):
            self._rewrite(source, aside)
        return StagedObject(uri, size, aside)

    def release(self, staged: StagedObject, replaces: str | None) -> str:
        """A rewrite, on the condition that the store finds the generation as it should be; what lay aside is removed.

        Where both lie in one location and storage class, as they do, no byte is copied.
        """
        with map_errors(staged.uri), _conflicts(staged.uri):
            try:
                etag = self._rewrite(staged.handle, staged.uri, _generation(replaces))
            except self._not_found as error:
                msg = f"{staged.handle}: what was staged is not there any more."
                raise ObjectNotFoundError(msg) from error
        with suppress(StorageError):  # It is in place; who cleans up finds what is left aside.
            self.delete(staged.handle)
        return etag

    def discard(self, staged: StagedObject) -> None:
        """Remove the object aside, or end an upload of parts that waits."""
        if staged.handle.startswith("gs://"):
            self.delete(staged.handle)
            return
        with map_errors(staged.uri):
            parts.MultipartUpload(self._client, self._session, staged.uri, staged.handle).cancel()

    def waiting(self, uri: str) -> Sequence[WaitingUpload]:
        """Those of parts; nobody can list the sessions of resumable uploads, which end after a week."""
        with map_errors(uri):
            return parts.waiting(self._client, self._session, uri)

    def put_replacing(self, uri: str, data: bytes, replaces: str | None) -> str:
        """A put on the condition that the store finds the generation as it should be."""
        with map_errors(uri), _conflicts(uri):
            return self._put(uri, data, _generation(replaces))

    def delete(self, uri: str) -> None:
        """One request, which may find nothing."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        with suppress(ObjectNotFoundError), map_errors(uri):
            blob_of(self._client, uri).delete(retry=DEFAULT_RETRY)

    def delete_version(self, uri: str, etag: str) -> None:
        """One request, on the condition of the generation."""
        with suppress(ObjectNotFoundError, ObjectConflictError), map_errors(uri), _conflicts(uri):
            blob_of(self._client, uri).delete(if_generation_match=int(etag))

    def signed_url(self, uri: str, method: LinkMethod, expires_s: int) -> str:
        """For a week with a service account's key, for 12 hours where Google signs for an account."""
        return signed_url(self._client, uri, method, expires_s)

    def check_writable(self, prefix: str) -> None:
        """A put that replaces what cannot be there: the server judges the rights, then finds that it is not."""
        uri = f"{prefix}_triptych/probe-{secrets.token_hex(8)}"
        try:
            with map_errors(prefix), _conflicts(uri):
                self._put(uri, b"", NO_GENERATION)
        except ObjectConflictError:
            return
        # A server that heeds no conditions has an empty object now.
        with suppress(StorageError):
            self.delete(uri)

    def _put(self, uri: str, data: bytes, generation: int) -> str:
        """By one request, up to 8 MiB; the client sends a CRC32C, which Google compares."""
        blob = blob_of(self._client, uri)
        blob.upload_from_string(data, "application/octet-stream", if_generation_match=generation)
        return etag_of(blob)

    def _rewrite(self, source: str, target: str, generation: int | None = None) -> str:
        """Google's copy, of any size; between locations or storage classes it takes more than one request."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        origin, made = blob_of(self._client, source), blob_of(self._client, target)
        token: str | None = None
        is_done = False
        while not is_done:
            token, _, _ = made.rewrite(origin, token, if_generation_match=generation, retry=DEFAULT_RETRY)
            is_done = token is None
        return etag_of(made)

    @property
    def _not_found(self) -> type[Exception]:
        from google.api_core.exceptions import NotFound

        found: type[Exception] = NotFound
        return found


class _Abortable(Protocol):
    def abort(self) -> None: ...


@contextmanager
def _ended(upload: _Abortable, uri: str) -> Iterator[None]:
    """Abort the upload where the context ends with an error."""
    try:
        yield
    except BaseException as error:
        try:
            upload.abort()
        except Exception as second:
            error.add_note(f"{uri}: the upload could not be cancelled: {second}")
        raise


def _generation(replaces: str | None) -> int:
    """As Google's condition has it: 0 where nothing is."""
    return 0 if replaces is None else int(replaces)


@contextmanager
def _conflicts(uri: str) -> Iterator[None]:
    """ObjectConflictError where the condition of a write does not hold."""
    from google.api_core.exceptions import PreconditionFailed

    try:
        yield
    except PreconditionFailed as error:
        msg = f"{uri}: another object is there than the one to replace, or to create."
        raise ObjectConflictError(msg) from error
