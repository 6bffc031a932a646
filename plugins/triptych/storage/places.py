"""How URIs lie to each other: their parts, and whether one is, holds or lies inside another, globs included."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import unquote, unquote_to_bytes

_URI = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):(?://([^/]*))?)?(.*)", re.DOTALL)
_AZURE = ("abfs", "azure")


@dataclass(frozen=True)
class UriParts:
    """A URI as it is written: `scheme` in small letters, `authority` (bucket or host), `path` with its first `/`."""

    scheme: str
    authority: str
    path: str


def split_uri(uri: str) -> UriParts:
    """The parts of any text; the scheme is empty where there is none.

    Not urlsplit: it takes `#` and `?`, which may stand in what people type, for the ends of paths, drops line breaks,
    and raises for a `[` in a bucket.
    """
    scheme, authority, path = _URI.fullmatch(uri).groups()  # type: ignore[union-attr]  # It matches any text.
    return UriParts((scheme or "").lower(), authority or "", path)


def place_of(uri: str) -> list[str]:
    """Scheme and host, then the decoded parts of the path: `s3://B/a%20b/../c/` -> ["s3://b", "c"].

    Of a file's path the links are resolved, as far as there is anything.
    """
    split = split_uri(uri)
    if split.scheme == "file":
        path = os.path.realpath(os.fsdecode(b"/" + unquote_to_bytes(split.path).lstrip(b"/").replace(b"\0", b"")))
        return ["file://", *(part for part in path.split("/") if part)]
    path = posixpath.normpath("/" + unquote(split.path).lstrip("/"))
    scheme, authority = split.scheme, split.authority.lower()
    if scheme in _AZURE:
        # Two words for one store, and the account may be left out: a container counts as one of that name in any.
        scheme, authority = _AZURE[0], authority.partition("@")[0]
    return [f"{scheme}://{authority}", *(part for part in path.split("/") if part)]


def relation(place: Sequence[str], folder: Sequence[str], *, is_folder: bool) -> str:
    """How `folder` lies to a place, which may be a glob: it "is" it, "holds" it, "lies inside" it; empty where apart.

    Each wildcard of the place stays inside its part: `in/*.csv` has nothing of `in/out/`. Inside a place that
    `is_folder`, and no others, lies what is below it.
    """
    shared = sum(1 for _ in takewhile(_matches, zip(place, folder, strict=False)))
    if shared == len(folder):
        return "is" if shared == len(place) else "holds"
    return "lies inside" if shared == len(place) and is_folder else ""


def glob_matches(pattern: str, uri: str) -> bool:
    """Whether a URI is what a glob means, part by part: no wildcard, and no `[...]`, stands for a `/`."""
    wanted, given = unquote(pattern).split("/"), unquote(uri).split("/")
    return len(wanted) == len(given) and all(map(_matches, zip(wanted, given, strict=True)))


def _matches(parts: tuple[str, str]) -> bool:
    pattern, name = parts
    return pattern == name or fnmatch.fnmatchcase(name, pattern)
