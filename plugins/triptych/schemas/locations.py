"""How locations are written: URIs, objects with `uri`, and descriptors; what is wrong with one, no secret shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from triptych.schemas.diagnostics import Json, Path, nearest_or_all

ENVIRONMENT = "@environment"
"""In lists of connections: the worker's own credentials, for stores that are named without one. No id may be so."""
ANONYMOUS = ("file", "http", "https")
"""Schemes that take no credentials where no connection is named."""
_CONN_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")
"""As Airflow has them."""
_CREDENTIAL_KEY = re.compile(
    r"pass(word|wd|phrase)?$|token|secret(?!_?id)|(access|account|api|private|shared|session|aws).*key"
    r"|credential|connection_?string|^sas|signature|^login$|^user(_?name)?$",
    re.IGNORECASE,
)
_CREDENTIAL_QUERY = re.compile(
    r"[?&;][^=&]*(token|passw|secret|access.?key|api.?key|account.?key|credential|\bsig\b|signature)[^=&]*=",
    re.IGNORECASE,
)
_AZURE = ("abfs", "abfss", "wasb", "wasbs", "azure")
"""Their URIs name `container@account`."""
_CONN_TYPES = {
    "abfs": "wasb",
    "azure": "wasb",
    "s3": "aws",
    "gs": "google_cloud_platform",
    "gcs": "google_cloud_platform",
    "http": "http",
    "https": "http",
}


@dataclass(frozen=True)
class Descriptor:
    """Keys of `params` of one kind of descriptor, which `needs` some and exactly one of `one_of`; the URI they mean."""

    needs: tuple[str, ...]
    one_of: tuple[str, ...]
    uri: Callable[[Mapping[str, str]], str]

    @property
    def keys(self) -> tuple[str, ...]:
        """All that `params` may hold."""
        return (*self.needs, *self.one_of, "conn_id")


_OBJECT = ("key", "prefix")
DESCRIPTORS: Mapping[str, Descriptor] = {
    "s3": Descriptor(("bucket",), _OBJECT, lambda p: f"s3://{p['bucket']}/{_object(p)}"),
    "gcs": Descriptor(("bucket",), _OBJECT, lambda p: f"gs://{p['bucket']}/{_object(p)}"),
    "azure": Descriptor(("container",), _OBJECT, lambda p: f"abfs://{p['container']}/{_object(p)}"),
    "http": Descriptor(("url",), (), lambda p: p["url"]),
    "file": Descriptor(("path",), (), lambda p: f"file://{p['path']}"),
}
"""By `dataSourceDescriptor`, in any capitals."""
_MEANT = {"connId": "conn_id", "secret_id": "conn_id", "secretId": "conn_id", "connection": "conn_id", "name": "key"}
"""What a wrong key of `params` most likely means."""


def location_errors(value: Json) -> Iterator[tuple[Path, str]]:
    """(path, sentence) of what is wrong with a location, or a list of them, whose shape its JSON Schema has judged."""
    if isinstance(value, str):
        yield from _uri_errors(value, ())
    elif isinstance(value, Mapping):
        yield from _object_errors(value)
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from (((index, *path), text) for path, text in location_errors(item))


def uri_and_connection(value: Json) -> tuple[str, str | None]:
    """The URI that a sound location means, its scheme in small letters, and the connection that it names, if any."""
    if isinstance(value, str):
        uri, conn_id = value, None
    else:
        about: Any = value
        if "uri" in about:
            uri, conn_id = about["uri"], about.get("conn_id")
        else:
            params = _params(about)
            uri, conn_id = DESCRIPTORS[about["dataSourceDescriptor"].lower()].uri(params), params.get("conn_id")
    scheme, colon, rest = uri.partition(":")
    return f"{scheme.lower()}{colon}{rest}", conn_id


def connection_of(value: Json) -> str | None:
    """The connection that opens a sound location, ENVIRONMENT where it names none; None where none is needed."""
    uri, conn_id = uri_and_connection(value)
    return conn_id or (None if uri.partition(":")[0] in ANONYMOUS else ENVIRONMENT)


def _object_errors(value: Mapping[str, Json]) -> Iterator[tuple[Path, str]]:
    scheme = str(value.get("dataSourceDescriptor", value.get("uri", ""))).partition(":")[0].lower()
    for key in value:
        if _CREDENTIAL_KEY.search(key):
            yield (key,), _credential(scheme)
    if isinstance(uri := value.get("uri"), str):
        yield from _uri_errors(uri, ("uri",))
        yield from _connection_errors(value.get("conn_id"), ("conn_id",))
    elif isinstance(name := value.get("dataSourceDescriptor"), str):
        if name.lower() in DESCRIPTORS:
            yield from _descriptor_errors(DESCRIPTORS[name.lower()], value, scheme)
        else:
            yield ("dataSourceDescriptor",), f"{name!r} is no descriptor.{nearest_or_all(name, DESCRIPTORS)}"


def _descriptor_errors(descriptor: Descriptor, value: Mapping[str, Json], scheme: str) -> Iterator[tuple[Path, str]]:
    given = value.get("params") or {}
    if not isinstance(given, Mapping):
        return  # The schema's own error says so.
    wrong = list(_key_errors(descriptor, given, scheme))
    yield from wrong
    params = _params(value)
    missing = [key for key in descriptor.needs if not params.get(key)]
    yield from ((("params", key), "is missing.") for key in missing)
    if not wrong and not missing:
        yield from _connection_errors(params.get("conn_id"), ("params", "conn_id"))
        yield from _uri_errors(descriptor.uri(params), ("params", descriptor.needs[-1]))


def _key_errors(descriptor: Descriptor, given: Mapping[str, Json], scheme: str) -> Iterator[tuple[Path, str]]:
    for key, item in given.items():
        path: Path = ("params", key)
        if key in descriptor.keys or key == "connId":
            if not isinstance(item, str):
                yield path, "must be text."
        elif _CREDENTIAL_KEY.search(key):
            yield path, _credential(scheme)
        else:
            meant = _MEANT.get(key)
            hint = f" Did you mean {meant!r}?" if meant in descriptor.keys else nearest_or_all(key, descriptor.keys)
            yield path, f"is unknown.{hint}"
    if "connId" in given and "conn_id" in given:
        yield ("params", "connId"), "is the same as conn_id: give one of them."
    if descriptor.one_of and len(given.keys() & set(descriptor.one_of)) != 1:
        yield (
            ("params", descriptor.one_of[0]),
            "name one object, or a glob, by `key`, or else a folder by `prefix`, which ends in `/` and is empty for "
            "the whole bucket.",
        )


def _params(value: Mapping[str, Any]) -> dict[str, str]:
    given = value.get("params") or {}
    return {"conn_id" if key == "connId" else key: item for key, item in given.items()}


def _object(params: Mapping[str, str]) -> str:
    return params.get("key", params.get("prefix", ""))


def _connection_errors(conn_id: Json, path: Path) -> Iterator[tuple[Path, str]]:
    # Not shown: somebody may have written the connection itself.
    if conn_id is not None and not (isinstance(conn_id, str) and _CONN_ID.fullmatch(conn_id) and "://" not in conn_id):
        yield path, "must be the id of an Airflow connection."


def _uri_errors(uri: str, path: Path) -> Iterator[tuple[Path, str]]:
    scheme, _, rest = unquote(uri).partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    has_login = at and (":" in user or scheme.lower() not in _AZURE)
    if has_login or _CREDENTIAL_QUERY.search(unquote(uri)):
        yield path, _credential(scheme.lower())


def _credential(scheme: str) -> str:
    return (
        "holds credentials, which whoever sees the job would see. Change them, for they stood here, and make an "
        f"Airflow connection: `airflow connections add my_store --conn-type {_CONN_TYPES.get(scheme, 'generic')} "
        "--conn-login KEY --conn-password SECRET`; then name it as conn_id."
    )
