"""Links to objects on Google Cloud Storage: by the private key of a service account, or by Google for one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from triptych.errors import UnsupportedError
from triptych.storage.base import LinkMethod
from triptych.storage.gcs.requests import blob_of, map_errors
from triptych.storage.links.limits import WEEK_S, check_lifetime

if TYPE_CHECKING:
    from google.cloud.storage import Client

_BY_GOOGLE_S = 12 * 3600
"""What `gcloud storage sign-url` allows where Google keeps the key: it changes that as it likes."""


def signed_url(client: Client, uri: str, method: LinkMethod, expires_s: int) -> str:
    """As `Store.signed_url`: no request is made where the private key is here, else one, to the service that signs."""
    from google.auth.credentials import Signing
    from google.oauth2.service_account import Credentials

    signs = client._credentials
    if not isinstance(signs, Signing):
        msg = (
            f"{uri}: nothing here signs a link: credentials of the type {type(signs).__name__} hold no private key. "
            "Use a connection with a service account's key, or one that impersonates a service account."
        )
        raise UnsupportedError(msg)
    if isinstance(signs, Credentials):
        check_lifetime(uri, expires_s, WEEK_S, "Google's signature")
    else:
        check_lifetime(uri, expires_s, _BY_GOOGLE_S, "Google, with a key that it keeps itself,")
    with map_errors(uri):
        url: str = blob_of(client, uri).generate_signed_url(
            version="v4", expiration=timedelta(seconds=expires_s), method=method, client=client, credentials=signs
        )
    return url
