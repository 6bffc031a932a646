"""Where data is: URIs, alone or with a connection, and the descriptors that other programs write them as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from triptych.errors import JobSpecError
from triptych.schemas.locations import MANIFEST, meaning_of
from triptych.schemas.services import Service

OWN_FOLDER = "_triptych"
"""The folder in a destination where what is staged waits, and the lists of outputs lie: no part of any source."""


@dataclass(frozen=True)
class Location:
    """Where data is: a URI (a prefix ending in `/`, a glob, or one object) and the connection that opens it."""

    uri: str
    conn_id: str | None = None
    service: Service | None = None
    """Which serves it where the connection names no endpoint."""
    is_manifest: bool = False
    """Whether it is a file that lists, line by line, what is meant."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Location:
        """What `asdict` made of one."""
        is_manifest = bool(data.get("is_manifest"))
        return cls(data["uri"], data["conn_id"], read_service(data.get("service")), is_manifest)


def read_service(data: Mapping[str, str | None] | None) -> Service | None:
    """What `asdict` made of one, or of none."""
    return Service(str(data["name"]), data["region"]) if data else None


def listed(value: Any) -> list[Any]:
    """The items of a `dataSource`: its own, when it is a list; none, when it is empty."""
    if isinstance(value, list):
        return value
    return [value] if value else []


def read_location(value: Any) -> Location:
    """A URI, an object with `uri`, or a descriptor that means one: `location_errors` finds nothing wrong with it.

    Raises JobSpecError for what is no URI.
    """
    means = meaning_of(value)
    is_manifest = isinstance(value, Mapping) and MANIFEST in value
    return Location(_checked(means.uri), means.conn_id, means.service, is_manifest)


def read_sources(value: Any) -> tuple[Location, ...]:
    """Those of a sound `dataSource`; `bypass` has none. As `read_location`."""
    return tuple(read_location(item) for item in listed(value) if meaning_of(item).place is None)


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
