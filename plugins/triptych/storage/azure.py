"""`abfs://` and `azure://`: Azure Blob Storage, through the client of Airflow's WasbHook."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from triptych.connections import azure_client
from triptych.errors import (
    ObjectConflictError,
    ObjectNotFoundError,
    StorageAccessError,
)
from triptych.storage.azure_requests import Address, address, beginning, code, map_errors, status, translated
from triptych.storage.azure_upload import CHECKED, Upload, commit, handle_of
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
from triptych.storage.digests import compared
from triptych.storage.links.azure import signed_url
from triptych.storage.parallel import in_blocks, read_ahead

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties, BlobServiceClient

_COPY_S = 3600
"""How long a link to a blob that the server copies is good."""
_SCOPE = "https://storage.azure.com/.default"


def connect(conn_id: str | None, limits: TransferLimits) -> Store:
    """A store over this Airflow connection, or over Airflow's own `wasb_default` when it is None."""
    return AzureStore(azure_client(conn_id, limits.part_bytes), limits)


class AzureStore(Store):
    """Conditional puts for commits, uncommitted blocks for what waits, ranges in parallel for reads."""

    uploads_wait = True
    discards = False

    def __init__(self, client: BlobServiceClient, limits: TransferLimits) -> None:
        """`client` is a BlobServiceClient."""
        self._client = client
        self._limits = limits

    @property
    def one_put_bytes(self) -> int:
        """What a stream would send as one block."""
        return self._limits.part_bytes

    def stat(self, uri: str) -> ObjectInfo:
        """One HEAD request; the etag is the server's, without its quotes. A folder of a data lake is no object."""
        with map_errors(uri):
            found = self._blob(uri).get_blob_properties()
        if _is_folder(found):
            msg = f"{uri}: this is a folder. A folder's URI ends in '/'."
            raise ObjectNotFoundError(msg)
        return ObjectInfo(uri, found.size, found.etag.strip('"'))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """A page of up to 5,000 blobs per request, while they are asked for; names come back escaped in URIs."""
        where, root = self._address(prefix), beginning(prefix)
        with map_errors(prefix):
            container = self._client.get_container_client(where.container)
            for item in container.list_blobs(name_starts_with=where.blob or None, include=["metadata"]):
                if not _is_folder(item):
                    uri, modified = f"{root}/{quote(item.name)}", item.last_modified.timestamp()
                    yield ObjectInfo(uri, item.size, item.etag.strip('"'), modified)

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        """Parts of `TransferLimits.part_bytes`, some in flight at once, all of one version of the blob.

        All of a blob is compared with its Content-MD5 where it has one: Azure makes it for what is put at once.
        """
        if length == 0:
            return
        blob, part = self._blob(uri), self._limits.part_bytes
        with map_errors(uri):
            first = _download(blob, offset, part if length is None else min(part, length), etag)
            if first is None:
                return
            properties, data = first
            # The size among the properties is the range's.
            size = int(str(properties.content_range).rpartition("/")[2])
            end = size if length is None else min(size, offset + length)
            version = properties.etag.strip('"')

            def read(start: int, size: int) -> Iterator[bytes]:
                found = _download(blob, start, size, version)
                return in_blocks(b"" if found is None else found[1])

            def whole() -> Iterator[bytes]:
                yield from in_blocks(data)
                for start in range(offset + len(data), end, part):
                    yield from read(start, min(part, end - start))

            is_all = offset == 0 and end == size
            md5 = properties.content_settings.content_md5 if is_all else None
            expected = None if md5 is None else base64.b64encode(md5).decode()
            digest = hashlib.md5(usedforsecurity=False)
            yield from compared(read_ahead(whole(), offset, end, read, self._limits), digest, "MD5", expected, uri)

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        """Blocks of `TransferLimits.part_bytes`, some in flight at once, committed when the context ends well."""
        with self._uploading(uri) as upload:
            yield upload
            upload.finish()

    @contextmanager
    def stage(self, uri: str, aside: str) -> Iterator[Stage]:
        """Blocks of the blob itself that are not committed; `aside` is not used."""
        with self._uploading(uri) as upload:
            yield upload
            upload.staged = upload.pause(uri)

    def stage_copy(self, source: str, size: int, uri: str, aside: str) -> StagedObject:
        """The server copies the bytes into blocks of the blob; they pass through us where it has no such request."""
        with self._uploading(uri) as upload:
            if not upload.copied(source, 0, size):
                for block in self.stream(source, 0, size):
                    upload.write(block)
            return upload.pause(uri)

    @contextmanager
    def _uploading(self, uri: str) -> Iterator[Upload]:
        upload = Upload(self._blob(uri), self._limits, self._readable)
        with map_errors(uri):
            try:
                yield upload
            finally:
                upload.close()

    def release(self, staged: StagedObject, replaces: str | None) -> str:
        """Commit the blocks, on the condition that the store finds the name as it should be."""
        with self._conditionally(staged.uri, replaces) as condition:
            return commit(self._blob(staged.uri), staged.parts, condition)

    def discard(self, staged: StagedObject) -> None:
        """Nothing: no request drops blocks. Azure does, when the name is written to next, or in a week."""

    def waiting(self, uri: str) -> Sequence[WaitingUpload]:
        """One request for a blob; for a folder, one for each page of names, and one for each blob that is blocks only.

        Blocks of other programs are not ours to tell of.
        """
        if not uri.endswith("/"):
            return self._uploads(uri)
        where, root = self._address(uri), beginning(uri)
        with map_errors(uri):
            container = self._client.get_container_client(where.container)
            items = container.list_blobs(name_starts_with=where.blob or None, include=["uncommittedblobs"])
            names = [item.name for item in items if not item.size and not item.etag]
        return [upload for name in names for upload in self._uploads(f"{root}/{quote(name)}")]

    def _uploads(self, uri: str) -> Sequence[WaitingUpload]:
        try:
            with map_errors(uri):
                _, waiting = self._blob(uri).get_block_list("uncommitted")
        except ObjectNotFoundError:
            return []
        handles = dict.fromkeys(handle for block in waiting if (handle := handle_of(block.id)))
        return [WaitingUpload(uri, 0, handle) for handle in handles]

    def put_replacing(self, uri: str, data: bytes, replaces: str | None) -> str:
        """A put on the condition that the store finds the name as it should be."""
        with self._conditionally(uri, replaces) as condition:
            etag: str = self._blob(uri).upload_blob(data, overwrite=True, validate_content=CHECKED, **condition)["etag"]
        return etag.strip('"')

    def delete(self, uri: str) -> None:
        """One request."""
        with suppress(ObjectNotFoundError), map_errors(uri):
            self._blob(uri).delete_blob()

    def delete_version(self, uri: str, etag: str) -> None:
        """The server compares as it removes."""
        with suppress(ObjectNotFoundError, ObjectConflictError), self._conditionally(uri, etag) as condition:
            self._blob(uri).delete_blob(**condition)

    def signed_url(self, uri: str, method: LinkMethod, expires_s: int) -> str:
        """By the account's key for as long as asked, by a token's for a week; a shared access signature signs none."""
        return signed_url(self._client, self._blob(uri), uri, method, expires_s)

    def check_writable(self, prefix: str) -> None:
        """A put in place of a version that there never was: the server judges the rights, then the condition."""
        uri = f"{prefix}_triptych/probe-{secrets.token_hex(8)}"
        with suppress(ObjectConflictError):
            self.put_replacing(uri, b"", "0x0")
            self.delete(uri)  # By a server that heeds no condition.

    @contextmanager
    def _conditionally(self, uri: str, replaces: str | None) -> Iterator[dict[str, Any]]:
        """What to ask with for `If-Match` or `If-None-Match`; ObjectConflictError when that does not hold."""
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError

        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if replaces is not None:
            condition = {"match_condition": MatchConditions.IfNotModified, "etag": f'"{replaces}"'}
        try:
            yield condition
        except AzureError as error:
            if status(error) == 412 or code(error) == "BlobAlreadyExists":
                msg = f"{uri}: another blob is there than the one to replace, or to create."
                raise ObjectConflictError(msg) from error
            if code(error) == "InvalidBlockList":
                msg = f"{uri}: what was staged is not there any more."
                raise ObjectNotFoundError(msg) from error
            raise translated(uri, error) from error

    def _address(self, uri: str) -> Address:
        where = address(uri)
        if where.account not in (None, self._client.account_name):
            msg = (
                f"{uri}: the connection is of the account {self._client.account_name!r}. Name one of {where.account!r}."
            )
            raise StorageAccessError(msg)
        return where

    def _blob(self, uri: str) -> BlobClient:
        where = self._address(uri)
        return self._client.get_blob_client(where.container, where.blob)

    def _readable(self, uri: str) -> tuple[str, str | None]:
        """A URL by which the server itself may read a blob of ours, and a header's value where it wants one."""
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        blob, credential = self._blob(uri), self._client.credential
        if hasattr(credential, "get_token"):
            return blob.url, f"Bearer {credential.get_token(_SCOPE).token}"
        signature = getattr(credential, "signature", None)  # Of an AzureSasCredential; one in the URL stands there.
        if hasattr(credential, "account_key"):
            signature = generate_blob_sas(
                str(blob.account_name),
                blob.container_name,
                blob.blob_name,
                account_key=credential.account_key,
                permission=BlobSasPermissions(read=True),
                expiry=datetime.now(UTC) + timedelta(seconds=_COPY_S),
            )
        return (f"{blob.url}?{signature.lstrip('?')}" if signature else blob.url), None


def _download(blob: BlobClient, offset: int, length: int, etag: str | None) -> tuple[BlobProperties, bytes] | None:
    """A range, and what the server says of the blob; None where the blob ends before it."""
    from azure.core import MatchConditions
    from azure.core.exceptions import HttpResponseError

    pinned: dict[str, Any] = (
        {} if etag is None else {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}
    )
    try:
        # As it lies there, whatever Content-Encoding says.
        answer = blob.download_blob(offset, length, max_concurrency=1, decompress=False, **pinned)
        return answer.properties, answer.readall()
    except HttpResponseError as error:
        if status(error) == 416:
            return None
        raise


def _is_folder(properties: BlobProperties) -> bool:
    """Whether this is what an account with folders (a data lake) shows of one."""
    mark: str = (properties.metadata or {}).get("hdi_isfolder", "")
    return mark.lower() == "true"
