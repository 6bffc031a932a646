"""How locations are written: URIs, objects with `uri`, and descriptors; what is wrong with one, no secret shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.schemas import credentials
from triptych.schemas.descriptors import (
    DESCRIPTORS,
    NAME_KEYS,
    Meaning,
    Place,
    Side,
    descriptor_errors,
    has_shape,
    meaning,
    name_of,
)
from triptych.schemas.diagnostics import SHOWN_CHARACTERS, Json, Path

ENVIRONMENT = "@environment"
"""In lists of connections: the worker's own credentials, for stores that are named without one. No id may be so."""
ANONYMOUS = ("file", "http", "https", "upload")
"""Schemes that take no credentials where no connection is named."""
MANIFEST = "manifest"
"""The key of an object whose URI is that of a file which lists sources."""
URI_KEYS = frozenset({"uri", MANIFEST})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_CONN_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")
"""As Airflow has them."""


def is_nothing(value: Json) -> bool:
    """Whether a source or destination that is given says that there is none: null, `[]`, an emptied field."""
    return value in (None, "", [])


def is_left_out(value: Json) -> bool:
    """Whether it says nothing at all: `{}`, as clients of other services send a message that they have not set."""
    return value == {}


def location_errors(value: Json, side: Side) -> Iterator[tuple[Path, str]]:
    """(path, sentence) of what is wrong with a location, or a list of them; of its shape its JSON Schema speaks."""
    if isinstance(value, str):
        yield from _uri_errors(value, ())
    elif isinstance(value, Mapping):
        yield from _object_errors(value, side)
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from (((index, *path), text) for path, text in location_errors(item, side))
            if len(value) > 1 and isinstance(item, Mapping) and _is_placeless(item):
                yield (index, name_of(item)[0]), "stands for a whole source: it is no part of a list."


def meaning_of(value: Json) -> Meaning:
    """What a sound location comes to; the scheme of its URI is in small letters."""
    if isinstance(value, Mapping) and not URI_KEYS & value.keys():
        found = meaning(value)
    elif isinstance(value, Mapping):
        about: Any = value
        found = Meaning(about.get("uri") or about[MANIFEST], about.get("conn_id"))
    else:
        found = Meaning(str(value))
    scheme, colon, rest = found.uri.partition(":")
    return Meaning(f"{scheme.lower()}{colon}{rest}", found.conn_id, found.service, found.place)


def connection_of(value: Json) -> str | None:
    """The connection that opens a sound location, ENVIRONMENT where it names none; None where none is needed."""
    means = meaning_of(value)
    is_anonymous = means.place is not None or means.uri.partition(":")[0] in ANONYMOUS
    return means.conn_id or (None if is_anonymous else ENVIRONMENT)


def _is_placeless(value: Mapping[str, Json]) -> bool:
    """Whether it is a descriptor that names no URI."""
    about = DESCRIPTORS.get(str(name_of(value)[1]).lower())
    return about is not None and about.place is Place.NONE


def _object_errors(value: Mapping[str, Json], side: Side) -> Iterator[tuple[Path, str]]:
    name = str(name_of(value)[1]).lower()
    uri_key = MANIFEST if MANIFEST in value else "uri"
    scheme = str(value.get(uri_key, "")).partition(":")[0].lower()
    conn_type = DESCRIPTORS[name].conn_type if name in DESCRIPTORS else credentials.conn_type(scheme)
    for key in value:
        if credentials.is_credential(key):
            yield (key,), credentials.refusal(conn_type)
    if uri_key == MANIFEST and side is Side.DESTINATION:
        yield (MANIFEST,), "lists sources; a destination is a folder: name it by `uri`."
    if isinstance(uri := value.get(uri_key), str):
        yield from _uri_errors(uri, (uri_key,))
        yield from _connection_errors(value.get("conn_id"), ("conn_id",))
    elif not URI_KEYS & value.keys() and any(key in value for key in NAME_KEYS) and has_shape(value):
        wrong = list(descriptor_errors(value, side))
        yield from wrong or _meaning_errors(value)


def _meaning_errors(value: Mapping[str, Json]) -> Iterator[tuple[Path, str]]:
    """Of a descriptor that is right by itself what is wrong with the connection and the URI that it means."""
    means, about = meaning_of(value), DESCRIPTORS[str(name_of(value)[1]).lower()]
    yield from _connection_errors(means.conn_id, ("params", "secret_id"))
    if credentials.has_credential(means.uri):
        yield ("params", about.needs[0]), credentials.refusal(about.conn_type)


def _connection_errors(conn_id: Json, path: Path) -> Iterator[tuple[Path, str]]:
    # Not shown: somebody may have written the connection itself.
    if conn_id is not None and not (isinstance(conn_id, str) and _CONN_ID.fullmatch(conn_id) and "://" not in conn_id):
        yield path, "must be the id of an Airflow connection."


def _uri_errors(uri: str, path: Path) -> Iterator[tuple[Path, str]]:
    if credentials.has_credential(uri):
        yield path, credentials.refusal(credentials.conn_type(uri.partition(":")[0].lower()))
    elif uri and "{{" not in uri and not _SCHEME.match(uri):
        # With a name in braces it is a template's text, which is judged once that is filled in.
        yield (
            path,
            (
                f"{uri[:SHOWN_CHARACTERS]!r} is a path, and no URI: an object is s3://bucket/key "
                "(gs://, abfs://, https://), a file of the workers' machines file:///folder/file, a folder ends in '/'."
            ),
        )
