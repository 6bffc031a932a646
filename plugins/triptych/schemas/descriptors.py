"""The descriptors, by which jobs of other services say where data is: one table, of which all else is made.

An entry says on which sides a descriptor may stand, which keys its `params` take, and what it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from triptych.schemas import credentials
from triptych.schemas.diagnostics import Json, Path, did_you_mean, nearest_or_all
from triptych.schemas.services import REGION, Service, needs_region

TYPE = "@type"
_TYPE = re.compile(r"type\.googleapis\.com/bytenite\.data_source\.[A-Za-z0-9]+DataSource")
_EXAMPLE = "type.googleapis.com/bytenite.data_source.S3DataSource"
"""What protobuf's JSON says of a message; the descriptor says it all, so that any of these will do."""
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS = re.compile(r"_([a-z])")


class Side(StrEnum):
    """Where a location stands in a job; in a template as in a job."""

    SOURCE = "dataSource"
    DESTINATION = "dataDestination"
    INPUT = "inputs"


class Place(StrEnum):
    """What a descriptor means that means no URI."""

    NONE = "none"
    """No data, or no place for it but the job's own."""
    TEMPORARY = "temporary"
    """Storage in the workspace, with an end."""


@dataclass(frozen=True)
class Parameter:
    """A key of `params`, read in `camelCase` and in `snake_case`; `other` names of it."""

    name: str
    about: str
    other: tuple[str, ...] = ()
    empty_is_given: bool = False
    """Whether an empty text says something; other keys may as well be left out."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every way to write it, ours first."""
        names = (self.name, *self.other)
        return tuple(dict.fromkeys(each for name in names for each in (name, _snake(name), _camel(name))))


@dataclass(frozen=True)
class Meaning:
    """What a sound location comes to: a URI, or a `place` without one; what opens it; the service that serves it."""

    uri: str
    conn_id: str | None = None
    service: Service | None = None
    place: Place | None = None


@dataclass(frozen=True)
class Descriptor:
    """One descriptor: all of `needs` have to be given, and one of `one_of`, which a destination may leave out."""

    about: str
    sides: tuple[Side, ...]
    params: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    conn_type: str = "generic"
    uri: Callable[[Mapping[str, str]], str] = lambda params: ""
    service: str | None = None
    place: Place | None = None

    def parameter(self, key: str) -> Parameter | None:
        """The one that this key is a spelling of."""
        return next((each for each in self.params if key in each.spellings), None)

    def means(self, params: Mapping[str, str]) -> Meaning:
        """By its sound parameters, under our names for them."""
        region = params.get("cloudRegion")
        # Amazon's is no other than the client's own choice, where no region is named.
        service = Service(self.service, region) if self.service and (region or self.service != "s3") else None
        return Meaning(self.uri(params), params.get("secret_id"), service, self.place)


def _snake(name: str) -> str:
    return _WORD_START.sub("_", name).lower()


def _camel(name: str) -> str:
    return _WORDS.sub(lambda found: found[1].upper(), name)


def _object(params: Mapping[str, str]) -> str:
    """As it stands in a URI: a `name` is text, of which every character is meant; a `key` is a URI's own path."""
    if "name" in params:
        return quote(params["name"].removeprefix("/"), safe="/")
    return params.get("key", params.get("prefix", ""))


_ALL = tuple(Side)
_READ = (Side.SOURCE, Side.INPUT)
_SECRET = Parameter("secret_id", "id of an Airflow connection, also written `conn_id`", ("conn_id",))
_BUCKET = Parameter(
    "bucketName", "the bucket, or Azure's container; also written `bucket`, or there `container`", ("bucket",)
)
_REGION = Parameter("cloudRegion", "its region, also written `region`", ("region",))
_NAMES = (
    Parameter("name", "one object, or a folder that ends in `/`, in plain text, with or without `/` at its start"),
    Parameter("key", "or one object, or a glob, escaped as in a URI"),
    Parameter("prefix", "or a folder, escaped as in a URI; empty for the whole bucket", empty_is_given=True),
)
_OBJECTS = ("name", "key", "prefix")
_URL = (Parameter("url", "the whole URL"), _SECRET)


def _bucket(name: str, about: str) -> Descriptor:
    """A descriptor of an S3-compatible service."""
    needs = ("bucketName", "cloudRegion") if needs_region(name) else ("bucketName",)
    params = (_BUCKET, *_NAMES, _REGION, _SECRET)
    return Descriptor(
        about, _ALL, params, needs, _OBJECTS, "aws", lambda p: f"s3://{p['bucketName']}/{_object(p)}", name
    )


_S3 = _bucket("s3", "Amazon S3, or what the connection's own endpoint serves")
_HTTP = Descriptor("A file on a web server", _READ, _URL, ("url",), conn_type="http", uri=lambda p: p["url"])
DESCRIPTORS: Mapping[str, Descriptor] = {
    "bypass": Descriptor(
        "As source one empty file; as destination nothing: the output stays in the workspace's `outputs/`",
        (Side.SOURCE, Side.DESTINATION),
        place=Place.NONE,
    ),
    "bucket": Descriptor(
        "Temporary storage in the workspace, with signed links where its store can sign",
        (Side.DESTINATION,),
        place=Place.TEMPORARY,
    ),
    "url": _HTTP,
    "http": _HTTP,
    "file": Descriptor(
        "A folder or file of the workers (`file://`), or an upload",
        _ALL,
        (Parameter("path", "an absolute path, escaped as in a URI, or what `triptych upload` printed"), _SECRET),
        ("path",),
        uri=lambda p: p["path"] if p["path"].startswith("upload://") else f"file://{p['path']}",
    ),
    "s3": _S3,
    "aws": _S3,
    "gcp": _bucket("gcp", "Google Cloud Storage by its S3 interface, with HMAC keys"),
    "gcs": Descriptor(
        "Google Cloud Storage by its own interface",
        _ALL,
        (_BUCKET, *_NAMES, _SECRET),
        ("bucketName",),
        _OBJECTS,
        "google_cloud_platform",
        lambda p: f"gs://{p['bucketName']}/{_object(p)}",
    ),
    "storj": _bucket("storj", "Storj"),
    "wasabi": _bucket("wasabi", "Wasabi"),
    "backblaze": _bucket("backblaze", "Backblaze B2"),
    "azure": Descriptor(
        "Azure Blob Storage",
        _ALL,
        (replace(_BUCKET, other=("bucket", "container")), *_NAMES, _SECRET),
        ("bucketName",),
        _OBJECTS,
        "wasb",
        lambda p: f"abfs://{p['bucketName']}/{_object(p)}",
    ),
}
"""By `dataSourceDescriptor`, in any capitals."""
NAME_KEYS = ("dataSourceDescriptor", "data_source_descriptor")


def name_of(value: Mapping[str, Json]) -> tuple[str, Json]:
    """The key that holds an object's descriptor, as it is spelled, and its value; None where it has none."""
    key = next((key for key in NAME_KEYS if key in value), NAME_KEYS[0])
    return key, value.get(key)


def has_shape(value: Mapping[str, Json]) -> bool:
    """Whether the name is text and the parameters are an object; where not, the schema's own error says so."""
    return isinstance(name_of(value)[1], str) and isinstance(value.get("params"), Mapping | None)


def meaning(value: Mapping[str, Any]) -> Meaning:
    """What a sound descriptor comes to."""
    descriptor = DESCRIPTORS[str(name_of(value)[1]).lower()]
    return descriptor.means(_read(descriptor, value.get("params")))


def descriptor_errors(value: Mapping[str, Json], side: Side) -> Iterator[tuple[Path, str]]:
    """(path, sentence) of what is wrong with one that has its shape, but for the URI and the connection it means."""
    name_key, _ = name_of(value)
    name = str(value[name_key])
    if name.lower() not in DESCRIPTORS:
        yield (name_key,), f"{name!r} is no descriptor.{nearest_or_all(name, DESCRIPTORS)}"
        return
    descriptor = DESCRIPTORS[name.lower()]
    if side not in descriptor.sides:
        known = ", ".join(sorted(each for each, about in DESCRIPTORS.items() if side in about.sides))
        yield (name_key,), f"{name!r} is no descriptor of {side}. Known: {known}."
        return
    given: Any = value.get("params")
    yield from _key_errors(descriptor, given or {})
    params = _read(descriptor, given)
    yield from ((("params", key), "is missing.") for key in descriptor.needs if not params.get(key))
    yield from _choice_errors(descriptor, params, side)


def _key_errors(descriptor: Descriptor, given: Mapping[str, Json]) -> Iterator[tuple[Path, str]]:
    """What is wrong with each key; an empty value is none, as protobuf's JSON writes what is not there."""
    seen: dict[str, str] = {}
    for key, item in given.items():
        found = descriptor.parameter(key)
        if found is None:
            text = _other_key_error(descriptor, key, item)
        elif item is not None and not isinstance(item, str):
            text = "must be text."
        else:
            text = f"is the same as {seen[found.name]}: give one of them." if item and found.name in seen else ""
        if text:
            yield ("params", key), text
        if found and item:
            seen.setdefault(found.name, key)


def _other_key_error(descriptor: Descriptor, key: str, item: Json) -> str:
    """What is wrong with a key that is none of the descriptor's; empty for `@type`, and for one that is empty."""
    if item in (None, ""):
        return ""
    if key == TYPE:
        is_one = isinstance(item, str) and _TYPE.fullmatch(item)
        return "" if is_one else f"must be like `{_EXAMPLE}`, or be left out."
    if credentials.is_credential(key):
        return credentials.refusal(descriptor.conn_type)
    near = did_you_mean(key, (each for about in descriptor.params for each in about.spellings))
    known = sorted([TYPE, *(about.name for about in descriptor.params)])
    return f"is unknown.{near}" if near else f"is unknown. Known: {', '.join(known)}."


def _choice_errors(descriptor: Descriptor, params: Mapping[str, str], side: Side) -> Iterator[tuple[Path, str]]:
    chosen = [key for key in descriptor.one_of if key in params]
    if descriptor.one_of and (len(chosen) > 1 or (not chosen and side is not Side.DESTINATION)):
        yield (
            ("params", chosen[-1] if chosen else descriptor.one_of[0]),
            "name one object, or a folder, by `name`; or an object or glob by `key`; or a folder by `prefix`, which "
            "ends in `/` and is empty for the whole bucket: one of the three.",
        )
    if (bucket := params.get("bucketName")) and "/" in bucket:
        yield ("params", "bucketName"), "is the name of a bucket or container, without `/`."
    if (region := params.get("cloudRegion")) and not REGION.fullmatch(region):
        yield ("params", "cloudRegion"), "must be the name of a region: small letters, digits and `-`."


def _read(descriptor: Descriptor, given: Any) -> dict[str, str]:
    """The parameters that are given, under our names for them."""
    found: dict[str, str] = {}
    for key, item in (given or {}).items():
        about = descriptor.parameter(key)
        if about and isinstance(item, str) and (item or about.empty_is_given):
            found[about.name] = item
    return found
