"""Where data is: URIs, alone or with a connection, and the descriptors that other programs write them as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from triptych.errors import JobSpecError
from triptych.jobs.date_templates import render

OWN_FOLDER = "_triptych"
"""The folder in a destination where what is staged waits, and the lists of outputs lie: no part of any source."""


@dataclass(frozen=True)
class Location:
    """Where data is: a URI (a prefix ending in `/`, a glob, or one object) and the connection that opens it."""

    uri: str
    conn_id: str | None = None


def listed(value: Any) -> list[Any]:
    """The items of a `dataSource`: its own, when it is a list; none, when it is empty."""
    if isinstance(value, list):
        return value
    return [value] if value else []


def read_location(value: Any, dates: Mapping[str, str] | None = None) -> Location:
    """A URI, an object with `uri`, or a descriptor, each valid by its schema, with the run's dates filled in.

    Raises JobSpecError for what is no URI, and for a descriptor that is unknown or lacks a parameter.
    """
    if isinstance(value, str):
        return Location(_checked(render(value, dates)))
    if "uri" in value:
        return Location(_checked(render(value["uri"], dates)), value.get("conn_id"))
    build = _DESCRIPTORS.get(str(value["dataSourceDescriptor"]).lower())
    if build is None:
        msg = f"dataSourceDescriptor {value['dataSourceDescriptor']!r} is none of {', '.join(_DESCRIPTORS)}."
        raise JobSpecError(msg)
    params = value.get("params") or {}
    try:
        return Location(_checked(render(build(params), dates)), params.get("conn_id") or params.get("connId"))
    except KeyError as missing:
        msg = f"dataSourceDescriptor {value['dataSourceDescriptor']!r}: params.{missing.args[0]} is missing."
        raise JobSpecError(msg) from None


def _checked(uri: str) -> str:
    """The URI itself; JobSpecError for one that Python's parser refuses, or would shorten without a word."""
    odd = next((each for each in uri if each < " " or each == "\x7f" or "\ud800" <= each <= "\udfff"), None)
    if odd:
        msg = f"{uri}: a URI holds no {odd!a}. Write the bytes of such a character as %XX."
        raise JobSpecError(msg)
    try:
        urlsplit(uri)
    except ValueError as error:
        msg = f"{uri}: is no URI: {error}."
        raise JobSpecError(msg) from None
    return uri


_DESCRIPTORS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "s3": lambda p: f"s3://{p['bucket']}/{p.get('key', p.get('prefix', ''))}",
    "gcs": lambda p: f"gs://{p['bucket']}/{p.get('key', p.get('prefix', ''))}",
    "azure": lambda p: f"abfs://{p['container']}/{p.get('key', p.get('prefix', ''))}",
    "http": lambda p: str(p["url"]),
    "file": lambda p: f"file://{p['path']}",
}
