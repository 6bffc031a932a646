"""Links to objects on S3, signed by version 4; they end with the credentials that signed them.

The credentials of a client are a private part of botocore's; `tests/contract/stores` fails when they change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triptych.errors import UnsupportedError
from triptych.storage.base import LinkMethod
from triptych.storage.links.limits import WEEK_S, check_lifetime
from triptych.storage.s3_requests import bucket_key, map_errors

if TYPE_CHECKING:
    from botocore.client import BaseClient

_CALLS = {"GET": "get_object", "PUT": "put_object"}


def prefer_version_4(client: BaseClient) -> None:
    """Let this client sign links as it signs requests, unless its connection names another version.

    Of its own botocore falls back to version 2 for them, which some regions and many servers do not take.
    """
    client.meta.events.register_first("choose-signer.s3", _version_4, unique_id="triptych-links")


def _version_4(signature_version: str, **_: object) -> str | None:
    # A client that signs nothing comes with another type here.
    return "s3v4-query" if signature_version in ("s3v4-query", "v4-query") else None


def signed_url(client: BaseClient, uri: str, method: LinkMethod, expires_s: int) -> str:
    """As `Store.signed_url`: no request is made, unless the credentials of a role have to be fetched."""
    check_lifetime(uri, expires_s, WEEK_S, "Amazon's signature")
    with map_errors(uri):
        _check_credentials(client, uri, expires_s)
        url: str = client.generate_presigned_url(_CALLS[method], bucket_key(uri), ExpiresIn=expires_s)
    return url


def _check_credentials(client: BaseClient, uri: str, expires_s: int) -> None:
    """UnsupportedError without any, and for those of a session that ends before the link does, or nobody knows when."""
    from botocore import UNSIGNED

    credentials = client._get_credentials()
    if credentials is None or client.meta.config.signature_version is UNSIGNED:
        msg = f"{uri}: nothing here signs a link: the connection has no credentials. Name one with an access key."
        raise UnsupportedError(msg)
    if credentials.get_frozen_credentials().token is None:
        return
    ends_early = getattr(credentials, "refresh_needed", None)
    if ends_early is None or ends_early(expires_s):
        when = "nobody knows when that is" if ends_early is None else f"that is before the {expires_s} s are over"
        msg = (
            f"{uri}: these are the credentials of a session, as a role's are, with which its links end, and {when}. "
            "Ask for a shorter link, or use a connection with the access key of a user."
        )
        raise UnsupportedError(msg)
