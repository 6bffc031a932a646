"""Side inputs: what every chunk reads beside its own bytes, each file pinned to a version, then to its content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Self
from urllib.parse import unquote

from triptych.errors import SourceError
from triptych.jobs.locations import Location
from triptych.jobs.sources import SourceEntry, resolve_sources
from triptych.storage import Stores
from triptych.storage.places import split_uri

MOST_FILES = 10_000
"""Of all side inputs of a job: its plan lists them, and each of its tasks reads the plan."""
LONGEST_PART_BYTES = 255
"""Of one part of a path, on nearly every file system."""
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class InputFile:
    """One file of a side input: `path` is relative, with `/`; `sha256`, in hex, is empty until it was read.

    That of an input which is one file is the input's name.
    """

    path: str
    source: SourceEntry
    sha256: str = ""


@dataclass(frozen=True)
class SideInput:
    """What scripts find at INPUTS_DIR/<name>: the one file that the job named, else a folder with files, by path."""

    name: str
    is_folder: bool
    files: tuple[InputFile, ...]

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(file.source.size for file in self.files)

    @property
    def version(self) -> str:
        """By what its store says of it, in hex: the same while nobody changed anything there."""
        about = [[file.path, *asdict(file.source).values()] for file in self.files]
        return hashlib.sha256(json.dumps([self.is_folder, about]).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """Of its content, in hex: a file's SHA-256, or a folder's: `LC_ALL=C sha256sum FILES | sha256sum`."""
        if not self.is_folder:
            return self.files[0].sha256
        listing = "".join(f"{file.sha256}  {file.path}\n" for file in self.files)
        return hashlib.sha256(listing.encode()).hexdigest()

    @property
    def key(self) -> str:
        """By which caches know it: a file whose text is the listing of a folder has that one's digest."""
        return f"{self.digest}-folder" if self.is_folder else self.digest

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `asdict` made of one."""
        files = (
            InputFile(each["path"], SourceEntry.from_json(each["source"]), each["sha256"]) for each in data["files"]
        )
        return cls(data["name"], data["is_folder"], tuple(files))


def resolve_inputs(inputs: Mapping[str, Sequence[Location]], stores: Stores) -> list[SideInput]:
    """Each side input with all its files, in order of their paths, not yet read.

    Files of a folder keep their paths below it, those of a glob theirs below the last folder without a wildcard.
    SourceError where a location names nothing, and where two files, or a file and a folder, would have one path.
    """
    found = [_resolved(name, locations, stores) for name, locations in inputs.items()]
    count = sum(len(each.files) for each in found)
    if count > MOST_FILES:
        largest = max(found, key=lambda each: len(each.files))
        msg = (
            f"inputs.{largest.name}: has {len(largest.files):,} files, and a job can have {MOST_FILES:,} in all of "
            "its side inputs. Pack them into one archive, which the script unpacks or reads."
        )
        raise SourceError(msg)
    return found


def _resolved(name: str, locations: Sequence[Location], stores: Stores) -> SideInput:
    found = [(each, entry) for each in locations for entry in resolve_sources([each], stores, f"inputs.{name}")]
    if len(locations) == len(found) == 1 and _parts(found[0][0].uri) == _parts(found[0][1].uri):
        return SideInput(name, False, (InputFile(name, found[0][1]),))
    files = [InputFile(_path(name, location.uri, entry.uri), entry) for location, entry in found]
    _check_paths(name, files)
    return SideInput(name, True, tuple(sorted(files, key=lambda file: file.path.encode())))


def _path(name: str, location: str, uri: str) -> str:
    """That of an object below the folder, or the beginning of the glob, that names it; else its last part.

    SourceError where it cannot be a path of a file: `a/../b`, or a part of 256 bytes.
    """
    if location != uri and (location.endswith("/") or _WILD.search(location)):
        above = _parts(_WILD.split(location, maxsplit=1)[0].rpartition("/")[0])
    else:
        above = _parts(uri)[:-1]
    parts = _parts(uri)[len(above) :]
    if not parts or any(part in (".", "..") or "/" in part or not _is_storable(part) for part in parts):
        msg = (
            f"inputs.{name}: {uri}: its path cannot be that of a file: parts are text of UTF-8 without control "
            f"characters, at most {LONGEST_PART_BYTES} bytes, and none is '.' or '..'. Rename it, or name other files."
        )
        raise SourceError(msg)
    return "/".join(parts)


def _parts(uri: str) -> list[str]:
    """Those of its path, decoded, without a URL's query; a byte that is no UTF-8 as a lone surrogate."""
    split = split_uri(uri)
    path = split.path.partition("?")[0] if split.scheme in ("http", "https") else split.path
    return [unquote(part, errors="surrogateescape") for part in path.split("/") if part]


def _is_storable(part: str) -> bool:
    has_control = any(character < " " or character == "\x7f" for character in part)
    is_text = not any("\ud800" <= character <= "\udfff" for character in part)
    return is_text and not has_control and len(part.encode()) <= LONGEST_PART_BYTES


def _check_paths(name: str, files: Sequence[InputFile]) -> None:
    by_path: dict[str, InputFile] = {}
    for file in files:
        if (other := by_path.setdefault(file.path, file)) is not file:
            raise _clash(name, file, other)
    for file in files:
        for folder in _folders(file.path):
            if folder in by_path:
                raise _clash(name, file, by_path[folder])


def _folders(path: str) -> Iterator[str]:
    """`a/b/c` -> `a/b`, `a`."""
    parents: Iterable[PurePosixPath] = PurePosixPath(path).parents
    return (str(parent) for parent in parents if str(parent) != ".")


def _clash(name: str, file: InputFile, other: InputFile) -> SourceError:
    return SourceError(
        f"inputs.{name}: {file.source.uri} and {other.source.uri} would lie at one path, {other.path!r}. Name a folder "
        "that holds both, or give each a name of its own in `inputs`."
    )
