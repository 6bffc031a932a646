"""Whether what a job writes could be what it reads: by the locations alone, before any store is asked."""

from __future__ import annotations

import fnmatch
import os
import posixpath
from collections.abc import Sequence
from itertools import takewhile
from urllib.parse import unquote, urlsplit

from triptych.errors import JobSpecError
from triptych.jobs.locations import Location


def check_destination(sources: Sequence[Location], destination: Location | None) -> None:
    """JobSpecError when the destination is a source, lies inside one, or has one inside it.

    A glob counts for the objects that it could match. Local links are followed. Connections are not compared: two of
    them may well lead to one bucket.
    """
    if destination is None:
        return
    folder = _parts(destination.uri)
    for source in sources:
        relation = _relation(_parts(source.uri), source.uri.endswith("/"), folder)
        if relation:
            msg = (
                f"dataDestination {destination.uri} {relation} dataSource {source.uri}: the job would write among what "
                "it reads. Name a folder that holds no source and lies in none."
            )
            raise JobSpecError(msg)


def _relation(source: Sequence[str], is_folder: bool, folder: Sequence[str]) -> str:
    """How the destination `folder` lies to a source; empty where they are apart.

    `source` may have wildcards, each of which stays inside its part: `in/*.csv` has nothing of `in/out/`.
    """
    shared = sum(1 for _ in takewhile(_matches, zip(source, folder, strict=False)))
    if shared == len(folder):
        return "is" if shared == len(source) else "holds"
    return "lies inside" if shared == len(source) and is_folder else ""


def _matches(parts: tuple[str, str]) -> bool:
    pattern, name = parts
    return pattern == name or fnmatch.fnmatchcase(name, pattern)


def _parts(uri: str) -> list[str]:
    """Scheme and host, then the decoded parts of the path: `s3://B/a%20b/../c/` -> ["s3://B", "c"].

    Of a file's path the links are resolved, as far as there is anything.
    """
    # A '#' or '?' may stand unescaped in what people type; no store's URI has a query or fragment.
    split = urlsplit(uri.replace("#", "%23").replace("?", "%3F"))
    path = posixpath.normpath("/" + unquote(split.path).lstrip("/"))
    scheme = split.scheme.lower()
    if scheme == "file":
        return ["file://", *os.path.realpath(path).strip("/").split("/")]
    return [f"{scheme}://{split.netloc}", *(part for part in path.split("/") if part)]
