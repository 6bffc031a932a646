"""Which names of the destination an output may take: those that are free, and those of its own earlier makings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from triptych.errors import DestinationError, EngineError, ObjectNotFoundError
from triptych.jobs.locations import OWN_FOLDER
from triptych.stages.publishing.records import MadeFile
from triptych.storage import ObjectInfo, Store
from triptych.storage.copying import sha256_of


class Existing(StrEnum):
    """What a job does about files that are in its destination already; its own run's earlier ones are always its own.

    ADD leaves them, and refuses their names. REPLACE does too, but removes those that earlier jobs of its template
    wrote and that nobody changed since. FAIL refuses any.
    """

    ADD = "add"
    REPLACE = "replace"
    FAIL = "fail"


@dataclass(frozen=True)
class KnownFile:
    """A version of a file that is ours; `etag` is None where it was never learned."""

    size: int
    sha256: str
    etag: str | None


class Names:
    """The names below one destination, and which versions of files under them are ours."""

    def __init__(self, store: Store, uri: str, ours: Mapping[str, Sequence[KnownFile]]) -> None:
        """`uri` ends in `/`."""
        self.store = store
        self.uri = uri
        self.ours = ours

    def uri_of(self, name: str) -> str:
        """Where the file of this name is, or will be."""
        return self.uri + quote(name)

    def look(self, name: str) -> ObjectInfo | None:
        """What has the name now; None when it is free."""
        try:
            return self.store.stat(self.uri_of(name))
        except ObjectNotFoundError:
            return None

    def is_ours(self, name: str, info: ObjectInfo) -> bool:
        """Whether this version was made by an earlier making of the run: by its etag, else by its bytes."""
        return any(holds(self.store, info, known) for known in self.ours.get(name, ()))

    def is_same(self, made: MadeFile) -> bool:
        """Whether what a file would replace is of ours with the same bytes already."""
        versions = self.ours.get(made.file.name, ())
        return any(known.etag == made.replaces and known.sha256 == made.file.sha256 for known in versions if known.etag)

    def check(self, name: str) -> str | None:
        """The etag of our own file under this name; None when the name is free; DestinationError when it is taken."""
        there = self.look(name)
        if there is None:
            return None
        if self.is_ours(name, there):
            return there.etag
        msg = (
            f"{there.uri}: a file that this job did not write is there already. Move it away, or name another "
            "dataDestination; `config.existing: replace` removes the files of earlier jobs of the same template."
        )
        raise DestinationError(msg)

    def check_nothing_else(self) -> None:
        """DestinationError when the destination holds a file that is neither ours nor in our folder."""
        for info in self.store.list(self.uri):
            name = unquote(info.uri).removeprefix(unquote(self.uri))
            is_marker = name.endswith("/") or not name
            if is_marker or name.startswith(f"{OWN_FOLDER}/") or self.is_ours(name, info):
                continue
            msg = f"{info.uri}: the destination is not empty, and `config.existing` is `fail`."
            raise DestinationError(msg)


def holds(store: Store, info: ObjectInfo, known: KnownFile) -> bool:
    """Whether the object is this version; its bytes are read where the etag does not tell."""
    if info.etag == known.etag:
        return True
    return info.size == known.size and sha256_of(store.stream(info.uri, etag=info.etag)) == known.sha256


def allowed_name(name: str) -> str:
    """The name, when it can be that of a file of an output; EngineError otherwise."""
    path = PurePosixPath(name)
    inside = path.parts and not path.is_absolute() and ".." not in path.parts and path.as_posix() == name
    if not inside or path.parts[0] == OWN_FOLDER:
        msg = f"Output name {name!r} is not allowed: relative, without '.' and '..', and not below '{OWN_FOLDER}/'."
        raise EngineError(msg)
    return name


def folders_of(name: str) -> Iterator[str]:
    """The folders that a name is in: `a/b/c` -> `a/b`, `a`."""
    return (str(parent) for parent in PurePosixPath(name).parents if parent.parts)
