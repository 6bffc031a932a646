"""Files that list a job's sources: a URI on each line, by whoever made the file, and so data."""

from __future__ import annotations

from collections.abc import Iterator

from triptych.errors import JobSpecError, ObjectNotFoundError, SourceError
from triptych.jobs.locations import Location, read_location
from triptych.schemas.descriptors import Side
from triptych.schemas.locations import location_errors
from triptych.storage import Stores
from triptych.storage.places import place_of, split_uri

MOST_BYTES = 16 << 20
"""Of a manifest: 200,000 URIs of 80 letters."""
_WEB = ("http", "https")
_FILE = "file://"
_STORES = ("abfs://", "gs://", "s3://")


def manifest_locations(location: Location, stores: Stores, key: str) -> Iterator[Location]:
    """What a manifest lists, in its order; a location that is none is itself.

    Lines that are empty, or begin with `#`, are nobody's. Raises SourceError that names the `key` of the
    job spec and the line.
    """
    if not location.is_manifest:
        yield location
        return
    text = _read(location, stores, f"{key} {location.uri}")
    for number, line in enumerate(text.split("\n"), 1):
        uri = line.strip()
        if uri and not uri.startswith("#"):
            yield _listed(location, uri, f"{key} {location.uri}: line {number}")


def _read(location: Location, stores: Stores, label: str) -> str:
    store = stores.open(location.uri, location.conn_id)
    try:
        info = store.stat(location.uri)
    except ObjectNotFoundError:
        msg = f"{label}: there is no such object, and a manifest is one."
        raise SourceError(msg) from None
    if info.size > MOST_BYTES:
        msg = f"{label}: has {info.size:,} bytes, and a manifest at most {MOST_BYTES:,}. Data itself is named by `uri`."
        raise SourceError(msg)
    try:
        return b"".join(store.stream(location.uri, 0, info.size, info.etag)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{label}: is no manifest: byte {error.start} is no UTF-8. Each line is a URI."
        raise SourceError(msg) from None


def _listed(manifest: Location, uri: str, label: str) -> Location:
    """The location on one line: by the manifest's connection in its own store, by none on a web server.

    A local manifest needs no connection: one that it is named with is for another store, of which it may list all.
    """
    for _, text in location_errors(uri, Side.SOURCE):
        msg = f"{label}: {text}"
        raise SourceError(msg)
    try:
        listed = read_location(uri)
    except JobSpecError as error:
        msg = f"{label}: {error}"
        raise SourceError(msg) from None
    own, scheme = (place_of(f"{split_uri(each).scheme}://")[0] for each in (manifest.uri, listed.uri))
    if split_uri(listed.uri).scheme in _WEB:
        # The connection of a web server is for that server alone.
        is_beside = place_of(listed.uri)[0] == place_of(manifest.uri)[0]
        return Location(listed.uri, manifest.conn_id if is_beside else None)
    if scheme == own or (own == _FILE and scheme in _STORES and manifest.conn_id):
        return Location(listed.uri, manifest.conn_id)
    msg = (
        f"{label}: {listed.uri} is not of the manifest's own store, nor of a web server (https://). A local manifest "
        "may list another store's, and is named with the connection for it."
    )
    raise SourceError(msg)
