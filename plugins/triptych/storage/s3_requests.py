"""What every request to S3 shares: how a URI is a bucket and a key, and the client's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from triptych.errors import ObjectNotFoundError, SourceError, StorageAccessError, StorageError, UnsupportedError


def bucket_key(uri: str) -> dict[str, str]:
    """`s3://tests/a%20b` -> {"Bucket": "tests", "Key": "a b"}, as the client's calls take them."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": unquote(key)}


@contextmanager
def map_errors(uri: str) -> Iterator[None]:
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


def status(error: Any) -> int | None:
    """The HTTP status of a ClientError; None when there was no answer."""
    answered: int | None = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return answered


def _translated(uri: str, error: Any) -> Exception:
    answered = status(error)
    if answered == 404:
        return ObjectNotFoundError(f"{uri}: there is no such object or bucket.")
    if answered in (401, 403):
        return StorageAccessError(f"{uri}: the store refuses these credentials. Check the Airflow connection.")
    if answered == 501:
        return UnsupportedError(f"{uri}: the store does not know this request: {error}")
    if answered == 412:
        return SourceError(f"{uri}: the object changed after the job started. Launch the job again.")
    return StorageError(f"{uri}: {error}")
