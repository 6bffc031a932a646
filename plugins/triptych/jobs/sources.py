"""From the locations that a job names to the objects that are there, each pinned to a version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from triptych.errors import ObjectNotFoundError, SourceError
from triptych.jobs.locations import OWN_FOLDER, Location, read_service
from triptych.jobs.manifests import manifest_locations
from triptych.schemas.services import Service
from triptych.storage import OBJECTS_AT_ONCE, ObjectInfo, Store, Stores
from triptych.storage.places import glob_matches


@dataclass(frozen=True)
class SourceEntry:
    """One resolved source object, pinned to a version."""

    uri: str
    conn_id: str | None
    size: int
    etag: str
    service: Service | None = None
    below: str = ""
    """The end of the URI, below the folder, or the glob's part before its first pattern, that named the object; empty
    where it was named itself."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SourceEntry:
        """What `asdict` made of one."""
        return cls(**{**data, "service": read_service(data.get("service"))})


def resolve_sources(locations: Sequence[Location], stores: Stores, key: str = "dataSource") -> list[SourceEntry]:
    """Every object that the locations name, in order given, each prefix or glob in order of decoded URI.

    Raises SourceError, with the `key` of the job spec, when a location names nothing, and for a manifest that lists
    what is no source.
    """
    named = [each for location in locations for each in manifest_locations(location, stores, key)]
    with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
        try:
            found = list(pool.map(partial(_resolve, stores=stores, key=key), named))
        finally:
            pool.shutdown(cancel_futures=True)
    return [entry for entries in found for entry in sorted(entries, key=_decoded)]


def _resolve(location: Location, stores: Stores, key: str) -> list[SourceEntry]:
    infos = _infos(location.uri, stores.open(location.uri, location.conn_id, location.service), key)
    start = location.uri.rpartition("/")[0]
    found = [
        SourceEntry(info.uri, location.conn_id, info.size, info.etag, location.service, _below(info.uri, location.uri))
        for info in infos
        # What another job keeps beside its output is no data, unless it is asked for by name.
        if OWN_FOLDER in start or f"/{OWN_FOLDER}/" not in info.uri
    ]
    if not found:
        shape = "glob" if _is_glob(location.uri) else "folder"
        msg = f"{key} {location.uri}: the {shape} holds no file. Check the URI and its connection."
        raise SourceError(msg)
    return found


def _decoded(entry: SourceEntry) -> bytes:
    return unquote_to_bytes(entry.uri)


def _infos(uri: str, store: Store, key: str) -> Iterator[ObjectInfo]:
    if store.lists and _is_glob(uri):
        prefix = uri[: min(uri.find(c) for c in "*?[" if c in uri)]
        yield from (info for info in store.list(prefix) if glob_matches(uri, info.uri))
    elif store.lists and uri.endswith("/"):
        yield from (info for info in store.list(uri) if not info.uri.endswith("/"))
    else:
        try:
            yield store.stat(uri)
        except ObjectNotFoundError:
            msg = f"{key} {uri}: there is no such object. A folder must end in '/'; check the name and the connection."
            raise SourceError(msg) from None


def _below(uri: str, named: str) -> str:
    """`a/x.csv` of `s3://b/in/a/x.csv`, named by `s3://b/in/` or `s3://b/in/*/x.csv`; empty where it named itself."""
    is_folder = named.endswith("/") or _is_glob(named)
    above = re.split(r"[*?[]", named, maxsplit=1)[0].rpartition("/")[0] + "/"
    return uri.removeprefix(above) if is_folder and uri.startswith(above) else ""


def _is_glob(uri: str) -> bool:
    return any(character in uri for character in "*?[")
