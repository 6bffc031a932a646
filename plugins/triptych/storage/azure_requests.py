"""What every request to Azure shares: how a URI is a container and a blob, and the client's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from triptych.errors import (
    ObjectNotFoundError,
    SourceError,
    StorageAccessError,
    StorageError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

_NOT_KNOWN = ("APINotImplemented", "NotImplemented")


class Address(NamedTuple):
    """A blob, or the beginning of names (`blob`), in a container; `account` where the URI names one."""

    container: str
    blob: str
    account: str | None = None


def address(uri: str) -> Address:
    """`abfs://data/a%20b` -> container `data`, blob `a b`.

    `abfs://data@mine.dfs.core.windows.net/a`, as Hadoop and Databricks write it, names the account `mine`, too.
    """
    where, _, key = uri.partition("://")[2].partition("/")
    container, _, host = where.partition("@")
    return Address(container, unquote(key), host.partition(".")[0] or None)


def beginning(uri: str) -> str:
    """The scheme and the container of a URI, as they stand in it: what the URIs of its neighbours begin with."""
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


@contextmanager
def map_errors(uri: str) -> Iterator[None]:
    """The client's errors as ours, with the URI."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise translated(uri, error) from error


def status(error: AzureError) -> int | None:
    """The HTTP status of an AzureError; None when there was no answer."""
    answered: int | None = getattr(error, "status_code", None)
    return answered


def code(error: AzureError) -> str:
    """Azure's own word for an error; empty when there was no answer."""
    told = getattr(error, "error_code", None)
    return str(getattr(told, "value", told) or "")


def translated(uri: str, error: AzureError) -> Exception:
    """What to raise instead of an AzureError."""
    answered = status(error)
    if answered == 404:
        return ObjectNotFoundError(f"{uri}: there is no such blob or container.")
    if answered in (401, 403):
        return StorageAccessError(f"{uri}: the store refuses these credentials. Check the Airflow connection.")
    if answered == 501 or code(error) in _NOT_KNOWN:
        return UnsupportedError(f"{uri}: the store does not know this request: {_first_line(error)}")
    if answered == 412:
        return SourceError(f"{uri}: the blob changed after the job started. Launch the job again.")
    return StorageError(f"{uri}: {_first_line(error)}")


def _first_line(error: AzureError) -> str:
    """The client puts the request's id, the time and the answer's XML below its sentence."""
    return str(error).partition("\n")[0]
