"""Which machines have been at a folder that all workers are said to share: each leaves a mark, which the others read.

The setting `shared_folders` is an operator's word. A worker on which the folder is its own would write an output where
nobody looks for it; so a folder counts as shared once one machine has read there what another has left.
"""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from triptych import __version__
from triptych.errors import ConfigError, StorageAccessError, StorageError
from triptych.jobs.locations import OWN_FOLDER
from triptych.jobs.workspace import MARKS
from triptych.running.rights.private_folders import NAMED, make_private
from triptych.settings import Settings
from triptych.storage import Store
from triptych.storage.paths import file_path
from triptych.storage.places import split_uri

MOST_MARK_BYTES = 10_000
_MOST_MARKS = 200
_ENDINGS = (".mark", ".json")
"""Ours, which no list of an output has, and what it was before."""
_ENOUGH = 2
"""Each of so many others sees the other: the next machine need not leave a mark, and as many pods leave no pile."""


@dataclass(frozen=True)
class Mark:
    """What a look leaves: the machine's name, the version there, and the time by its own clock (seconds).

    `identity` tells machines of one name apart; empty where the machine could not keep one.
    """

    machine: str
    version: str
    written: float
    identity: str = ""

    def is_of(self, other: Mark) -> bool:
        """Whether both may be of one machine."""
        is_told = self.identity and other.identity
        return self.machine == other.machine and (not is_told or self.identity == other.identity)

    def shows_shared(self, own: Mark) -> bool:
        """Whether it was left by another machine, not by another name, or another container, of this one."""
        return not self.is_of(own) and (not own.identity or self.identity != own.identity)


def own_mark(settings: Settings) -> Mark:
    """This machine's, now."""
    return Mark(platform.node(), __version__, time.time(), _identity(settings.cache))


def _identity(cache: Path) -> str:
    """A random name in the cache folder, which each machine has of its own; empty where it cannot be kept there.

    Host names repeat where machines are made from one image, and so do the ids that systems give them.
    """
    kept = cache / NAMED
    try:
        make_private(cache)
        with suppress(FileExistsError), kept.open("x", encoding="ascii") as file:
            file.write(secrets.token_hex(8))
        return kept.read_text(encoding="ascii")
    except (OSError, ConfigError, UnicodeError):
        return ""


def leave_mark(store: Store, folder: str, mark: Mark) -> str:
    """Write it in place of this machine's last one; its URI. `folder` ends in `/`."""
    named = json.dumps([mark.machine, mark.identity])
    uri = f"{folder}{hashlib.sha256(named.encode()).hexdigest()[:16]}.mark"
    store.put(uri, json.dumps(asdict(mark)).encode())
    return uri


def marks_in(store: Store, folder: str) -> Iterator[tuple[str, Mark | None]]:
    """The marks there by URI, the newest first; None for what is none, and nothing of what is removed meanwhile."""
    found = [info for info in store.list(folder) if info.uri.endswith(_ENDINGS)]
    for info in sorted(found, key=lambda info: info.modified or 0, reverse=True)[:_MOST_MARKS]:
        with suppress(StorageError):
            yield info.uri, _read_mark(store.read(info.uri, MOST_MARK_BYTES))


def _read_mark(data: bytes) -> Mark | None:
    try:
        mark = Mark(**json.loads(data))
        is_sound = all(isinstance(each, str) for each in (mark.machine, mark.version, mark.identity))
        return Mark(mark.machine, mark.version, float(mark.written), mark.identity) if is_sound else None
    except (ValueError, TypeError):
        return None


def marks_below(settings: Settings, root: str) -> str:
    """Where the marks of a root lie: in the workspace beside the jobs' folders, elsewhere in what no source holds."""
    return f"{root}/{MARKS}/" if root == settings.workspace else f"{root}/{OWN_FOLDER}/.machines/"


def shared_root(settings: Settings, uri: str) -> str | None:
    """The folder around a `file://` URI that all workers have to see, as an operator named it; None for other URIs."""
    if not _is_asked(settings, uri):
        return None
    if f"{uri}/".startswith(f"{settings.workspace}/"):
        return settings.workspace
    path = file_path(uri).resolve()
    roots = [root for root in settings.allowed_roots if path.is_relative_to(root.resolve())]
    return max(roots, key=lambda root: len(root.resolve().parts)).as_uri() if roots else None


def _is_asked(settings: Settings, uri: str) -> bool:
    return not settings.one_machine and split_uri(uri).scheme == "file"


def shared_roots(settings: Settings) -> list[str]:
    """The folders that jobs may write to and that have to be shared; none where tasks run on one machine."""
    if not settings.shared_folders:
        return []
    roots = [settings.workspace, *(root.as_uri() for root in settings.allowed_roots)]
    return [root for root in roots if _is_asked(settings, root)]


def check_seen_elsewhere(settings: Settings, store: Store, uri: str) -> None:
    """StorageAccessError unless another machine has left a mark around this URI; then ours is there for it to read.

    Nothing is asked, or left, where all tasks run on one machine, and of object stores.
    """
    root = shared_root(settings, uri)
    if root is None:
        return
    own, folder = own_mark(settings), marks_below(settings, root)
    others = (mark for _, mark in marks_in(store, folder) if mark and mark.shows_shared(own))
    found = len(list(islice(others, _ENOUGH)))
    hindrance = _left(store, folder, own) if found < _ENOUGH else ""
    if not found:
        msg = (
            f"{root}: by [triptych] shared_folders all workers see this folder, and no other machine than "
            f"{own.machine} has been seen there.{hindrance} If they do, run `triptych doctor` on another worker, and "
            "launch the job again; if it is a folder of one machine, name an object store."
        )
        raise StorageAccessError(msg)


def _left(store: Store, folder: str, own: Mark) -> str:
    """Leave a mark; a sentence where that cannot be."""
    try:
        leave_mark(store, folder, own)
    except StorageError as error:
        return f" It cannot leave its mark there: {error} Make {folder} for the workers' user."
    return ""
