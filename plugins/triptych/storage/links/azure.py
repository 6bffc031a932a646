"""Links to blobs on Azure: shared access signatures, by the account's key, or by one that a token is exchanged for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from triptych.errors import UnsupportedError
from triptych.storage.azure_requests import map_errors
from triptych.storage.base import LinkMethod
from triptych.storage.links.limits import WEEK_S, check_lifetime

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient

_SKEW = timedelta(minutes=5)
"""So much another clock may be behind ours."""


def signed_url(client: BlobServiceClient, blob: BlobClient, uri: str, method: LinkMethod, expires_s: int) -> str:
    """As `Store.signed_url`: no request is made with the account's key, one with a token."""
    expiry = datetime.now(UTC) + timedelta(seconds=expires_s)
    with map_errors(uri):
        return f"{blob.url}?{_signature(client, blob, uri, method, expires_s, expiry)}"


def _signature(
    client: BlobServiceClient, blob: BlobClient, uri: str, method: LinkMethod, expires_s: int, expiry: datetime
) -> str:
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    by: dict[str, Any]
    credential: Any = client.credential
    if hasattr(credential, "account_key"):
        check_lifetime(uri, expires_s, None, "the account's key")
        by = {"account_key": credential.account_key}
    elif hasattr(credential, "get_token"):
        check_lifetime(uri, expires_s, WEEK_S, "Azure, for a token,")
        by = {"user_delegation_key": client.get_user_delegation_key(datetime.now(UTC) - _SKEW, expiry)}
    else:
        msg = (
            f"{uri}: nothing here signs a link: a shared access signature, or no credential at all, signs no other. "
            "Use a connection with the account's key, or with a service principal."
        )
        raise UnsupportedError(msg)
    granted = BlobSasPermissions(read=method == "GET", create=method == "PUT", write=method == "PUT")
    return generate_blob_sas(
        str(blob.account_name), blob.container_name, blob.blob_name, permission=granted, expiry=expiry, **by
    )
