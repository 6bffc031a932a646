"""What every request to Google Cloud Storage shares: how a URI is a bucket and a name, and the client's errors as ours.

`session`, `media_url` and `host` touch private parts of google-cloud-storage 3, which has no stream that is pulled, and
cancels no upload; `tests/unit/storage` fails when they change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from triptych.connections import keep_connections
from triptych.errors import ObjectNotFoundError, SourceError, StorageAccessError, StorageError

_UPLOAD_ID = re.compile(r"(upload_id|uploadId)=[^&\s'\"]+")


def bucket_and_name(uri: str) -> tuple[str, str]:
    """`gs://tests/a%20b` -> ("tests", "a b")."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, unquote(name)


def blob_of(client: Any, uri: str) -> Any:
    """The client's object for this URI, of which nothing is asked yet."""
    bucket, name = bucket_and_name(uri)
    if not bucket or not name:
        msg = f"{uri}: there is no such object. The URI of one is gs://BUCKET/NAME."
        raise ObjectNotFoundError(msg)
    try:
        return client.bucket(bucket).blob(name)
    except ValueError as error:
        msg = f"{uri}: there is no such bucket: {error}"
        raise ObjectNotFoundError(msg) from error


def etag_of(blob: Any) -> str:
    """The generation of which an answer told; it changes with every write."""
    if blob.generation is None:
        msg = f"gs://{blob.bucket.name}/{blob.name}: the answer was cut short: it has no generation."
        raise StorageError(msg)
    return str(blob.generation)


def session(client: Any) -> Any:
    """The `requests.Session` of this client, which signs what it sends, with more connections than its own.

    From now on the client asks nothing about buckets for its traces: it would, by a thread, with a right of its own.
    """
    client._bucket_metadata_cache = None
    made = client._http
    # With a client certificate of the machine's, the adapter is Google's own.
    if not made.is_mtls:
        keep_connections(made)
    return made


def media_url(client: Any, blob: Any, etag: str | None) -> str:
    """Where the object's bytes are, on the condition that it is this version."""
    url: str = blob._get_download_url(client, if_generation_match=None if etag is None else int(etag))
    return url


def host(client: Any) -> str:
    """Where the XML API is, without a `/` at the end."""
    found: str = client._connection.get_api_base_url_for_mtls()
    return found.rstrip("/")


@contextmanager
def map_errors(uri: str) -> Iterator[None]:
    """The client's errors as ours, with the URI."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except GoogleAuthError as error:
        raise _of_credentials(uri, error) from error
    except (GoogleAPIError, InvalidResponse) as error:
        raise _translated(uri, error) from error
    except (DataCorruption, RequestException, HTTPError, ConnectionError) as error:
        msg = f"{uri}: {_text(error)}. Check the connection's endpoint and credentials."
        raise StorageError(msg) from error


def status(error: Any) -> int | None:
    """The HTTP status that the client's error is about; None when there was no answer."""
    answer = getattr(error, "response", None)
    answered: int | None = getattr(error, "code", None) or getattr(answer, "status_code", None)
    return answered


def _translated(uri: str, error: Any) -> Exception:
    answered = status(error)
    if answered == 404:
        return ObjectNotFoundError(f"{uri}: there is no such object or bucket.")
    if answered in (401, 403):
        said = getattr(error, "message", None) or _text(error)
        return StorageAccessError(f"{uri}: the store refuses these credentials. Check the Airflow connection. ({said})")
    if answered == 412:
        return SourceError(f"{uri}: the object changed after the job started. Launch the job again.")
    return StorageError(f"{uri}: {_text(error)}")


def _text(error: object) -> str:
    """What an error says, without the id of an upload: who has its URL can write there."""
    return _UPLOAD_ID.sub(r"\1=***", str(error))


def _of_credentials(uri: str, error: Any) -> StorageError:
    """Refused where they were to become a token; StorageError where nobody answered, or a retry may help."""
    from google.auth.exceptions import TransportError

    if isinstance(error, TransportError) or getattr(error, "retryable", False):
        return StorageError(f"{uri}: no token for these credentials: {error}")
    return StorageAccessError(
        f"{uri}: the store refuses these credentials. Check the Airflow connection, or the environment's. ({error})"
    )
