"""What of Triptych's own no job reads or writes by a location: workspace, registry, and the workers' own folders."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from triptych.errors import StorageAccessError
from triptych.settings import Settings
from triptych.storage.paths import file_path, identity
from triptych.storage.places import place_of, relation, split_uri

_ALIASES = ("-s3alias", "--ol-s3")
"""How names end by which Amazon knows a bucket's access points."""

TEMPORARY = "_temporary"
"""The folder of the workspace where what is to go after a while lies, in an area for each of its makers."""
AREA = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{32}")
"""The name of an area: when it expires, and a token that lets those in who know it."""


class Walls:
    """Keeps locations away from workspace, registry, `scratch` and `cache`: inside, around, and the places."""

    def __init__(self, settings: Settings) -> None:
        self._folders = own_folders(settings)
        self._is_on_s3 = "s3" in (split_uri(settings.workspace).scheme, split_uri(settings.registry).scheme)
        stores = [uri for uri in (settings.workspace, settings.registry) if uri]
        own = [*stores, *(folder.as_uri() for folder in self._folders)]
        self._places = [place_of(uri) for uri in own]

    def check(self, uri: str) -> None:
        """StorageAccessError when the URI, a prefix when it ends in `/`, or a glob, reaches into one or holds one."""
        if split_uri(uri).scheme != "file":
            self._check_spelling(uri)
        place = place_of(uri)
        for own in self._places:
            lies = relation(place, own, is_folder=uri.endswith("/"))
            if lies:
                raise refusal(uri, {"is": "is", "holds": "lies inside", "lies inside": "holds"}[lies])
        if split_uri(uri).scheme == "file":
            self._check_mounts(uri)

    def _check_spelling(self, uri: str) -> None:
        """What a store, or a server in front of it, might take for another bucket or key than it says."""
        split = split_uri(uri)
        if split.scheme in ("http", "https"):
            return  # What a path means there, its server says; none of them leads to a store of ours.
        if {".", ".."} & set(unquote(f"{split.authority}{split.path}").split("/")):
            msg = f"{uri}: has a part '.' or '..', which stores do not agree about. Write the whole key."
            raise StorageAccessError(msg)
        hides_bucket = ":" in unquote(split.authority) or split.authority.lower().endswith(_ALIASES)
        if split.scheme == "s3" and hides_bucket and self._is_on_s3:
            msg = f"{uri}: names an access point, behind which any bucket may be. Name the bucket itself."
            raise StorageAccessError(msg)

    def _check_mounts(self, uri: str) -> None:
        """A folder may be seen at two paths (bind mounts, volumes, file systems that know no capitals)."""
        path = file_path(uri).resolve()
        own = set(filter(None, map(identity, self._folders)))
        if any(identity(place) in own for place in (path, *path.parents)):
            raise refusal(uri, "lies inside")


def is_temporary(uri: str, workspace: str) -> bool:
    """Whether a URI, a prefix or a glob means something inside one area of the workspace, whose name it says."""
    start = f"{workspace}/{TEMPORARY}/"
    name, slash, path = uri.removeprefix(start).partition("/")
    steps = {".", ".."} & set(unquote(path).split("/"))
    return bool(workspace and uri.startswith(start) and AREA.fullmatch(name) and slash and not steps)


def own_folders(settings: Settings) -> list[Path]:
    """Local folders that are Triptych's own on a worker of these settings, links resolved."""
    stores = (*workspace_folder(settings), *folder_of(settings.registry))
    return [folder.resolve() for folder in (*stores, settings.scratch, settings.cache)]


def workspace_folder(settings: Settings) -> list[Path]:
    """The workspace, where it is a folder; else nothing."""
    return folder_of(settings.workspace)


def folder_of(uri: str) -> list[Path]:
    """The folder that a URI means; nothing where it means none."""
    return [file_path(uri)] if split_uri(uri).scheme == "file" else []


def refusal(uri: str, lies: str) -> StorageAccessError:
    """The error for a location that `lies inside`, `is` or `holds` a folder or prefix of Triptych's own."""
    return StorageAccessError(
        f"{uri}: {lies} a folder of Triptych's own (workspace, registry, scratch or cache), where no job reads or "
        "writes by name. Name another; for one job's output to be another's source, give the first a dataDestination."
    )
