"""The registry in its store. A content is there before a record names it, and a record changes under a condition.

    contents/<sha256>                      a block's frozen tar, or a template's JSON; written whole, never changed
    tags/<role>/<name>/<version>.json      what the tag means, and which content is active
    tags/template/<id>.json                the same of a template

So of two pushes of one tag at once each finds what the other did, and one that is interrupted leaves at most a content
that nothing names.
"""

from __future__ import annotations

import dataclasses
import fcntl
import secrets
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from triptych.blocks import Block, Role
from triptych.blocks.model import name_of
from triptych.blocks.versions import highest_match
from triptych.errors import (
    ConfigError,
    IntegrityError,
    ManifestError,
    ObjectConflictError,
    ObjectNotFoundError,
    StorageError,
)
from triptych.jobs.code import MOST_TAR_BYTES, freeze_code
from triptych.registry.records import MOST_BYTES, Content, Key, Publication, from_bytes, key_of_path, short, to_bytes
from triptych.settings import Settings
from triptych.storage import OBJECTS_AT_ONCE, Store, Stores
from triptych.storage.base import bounded
from triptych.storage.copying import checked, copy_stream, file_blocks, save
from triptych.storage.places import place_of, relation
from triptych.storage.walls import folder_of

MOST_RECORDS = 20_000
"""Tags of one registry: a listing of more is a mistake, or an attack."""
_TRIES = 50
"""Of a record that others keep changing."""


@dataclass(frozen=True)
class Pushed:
    """What became of a push: the record now, and what the tag meant before; None where it is new."""

    publication: Publication
    before: Content | None

    @property
    def has_moved(self) -> bool:
        """Whether the tag meant something else before."""
        return self.before is not None and self.before.sha256 != self.publication.content.sha256


def open_registry(settings: Settings, stores: Stores) -> Registry:
    """The registry that is configured; ConfigError where none is."""
    if not settings.registry:
        msg = (
            "No registry is configured. Set AIRFLOW__TRIPTYCH__REGISTRY to a URI of an object store, e.g. "
            "s3://bucket/registry, or give --airflow or --profile to publish through an Airflow's API."
        )
        raise ConfigError(msg)
    workspace = _place(settings.workspace)
    if workspace and relation(_place(settings.registry), workspace, is_folder=True):
        msg = (
            f"[triptych] registry = {settings.registry}: name a place apart from the workspace, in which every worker "
            "writes: what lies in the registry is run."
        )
        raise ConfigError(msg)
    return Registry(stores.registry(), settings.registry)


class Registry:
    """What is published below `root`; for any thread."""

    def __init__(self, store: Store, root: str) -> None:
        self._store = store
        self._root = root
        self._seen: dict[str, tuple[str, Publication]] = {}

    def push_block(self, block: Block, by: str, *, activates: bool = False) -> Pushed:
        """Publish a block's code as its tag's content; ManifestError where it cannot be frozen."""
        with tempfile.TemporaryDirectory(prefix="triptych-push-") as work:
            tar = Path(work, "code.tar")
            content = Content(
                sha256=freeze_code(block, tar),
                size=tar.stat().st_size,
                pushed_at=_now(),
                pushed_by=short(by),
                token=secrets.token_hex(8),
                platform=block.platform,
                image=short(block.image or ""),
                description=short(block.description),
            )
            return self._push(Key(block.role, block.name, block.version), content, tar, activates)

    def push_template(self, template_id: str, path: Path, sha256: str, by: str, description: str) -> Pushed:
        """Publish a template's file, whose bytes have this SHA-256; it is active at once."""
        size, token = path.stat().st_size, secrets.token_hex(8)
        content = Content(sha256, size, _now(), short(by), token, description=short(description))
        return self._push(Key(None, template_id), content, path, True)

    def find(self, role: Role | None, tag: str) -> Publication:
        """The one that a tag means: of several versions the highest that matches. ManifestError when there is none."""
        if role is None:
            known, _ = (self._read(Key(None, tag)) if key_of_path(Key(None, tag).path) else None) or (None, "")
            if known is None:
                msg = f"No template {tag!r} is published. `triptych template list --published` shows those that are."
                raise ManifestError(msg)
            return known
        prefix = f"{role}/{name_of(tag)}/"
        is_name = key_of_path(f"{prefix}1.0.json") is not None
        named = {each.key.version: each for each in self._below(prefix)} if is_name else {}
        version = highest_match(tag, named)
        if version is None:
            others = f" Published of that name: {', '.join(sorted(named))}." if named else ""
            listing = "`triptych engine list --published`" if role.is_engine else "`triptych app list --published`"
            msg = f"No {role} {tag!r} is published.{others} {listing} shows those that are."
            raise ManifestError(msg)
        return named[version]

    def publications(self) -> list[Publication]:
        """All, by role and tag. Records that are none are left out: one hides no other."""
        return sorted(self._below(""), key=lambda each: (each.key.word, each.key.name, each.key.version))

    def activate(self, key: Key) -> Publication:
        """Let jobs run what the tag means now; ObjectNotFoundError where nothing of this key is published."""
        return self._change(key, lambda known: dataclasses.replace(known, active=known.content))

    def deactivate(self, key: Key) -> Publication:
        """Let no further job run it."""
        return self._change(key, lambda known: dataclasses.replace(known, active=None))

    def blocks_of(self, sha256: str, size: int | None = None) -> Iterator[bytes]:
        """A content as a stream. IntegrityError at its end when it is not that, ObjectNotFoundError without it."""
        uri = self._content_uri(sha256)
        yield from checked(bounded(self._store.stream(uri), MOST_TAR_BYTES, uri), size, sha256, uri)

    def fetch(self, content: Content, path: Path) -> None:
        """Write a content to a file; else as `blocks_of`."""
        save(self.blocks_of(content.sha256, content.size), path)

    def _push(self, key: Key, content: Content, path: Path, activates: bool) -> Pushed:
        self._make_folder()
        # Written whether it is there or not: what somebody damaged is whole again, and the same bytes harm nobody.
        copy_stream(file_blocks(path), self._store, self._content_uri(content.sha256))
        before: Content | None = None

        def moved(known: Publication | None) -> Publication:
            nonlocal before
            if known is not None and known.content.token != content.token:
                before = known.content  # Else the answer to our own put was lost.
            active = content if activates else known.active if known else None
            return Publication(key, content, active)

        return Pushed(self._changed(key, moved), before)

    def _change(self, key: Key, change: Callable[[Publication], Publication]) -> Publication:
        def changed(known: Publication | None) -> Publication:
            if known is None:
                msg = f"{key} is not published. Push it first."
                raise ObjectNotFoundError(msg)
            return change(known)

        return self._changed(key, changed)

    def _changed(self, key: Key, change: Callable[[Publication | None], Publication]) -> Publication:
        """Change a record as it is now, again for as long as others come first."""
        self._make_folder()
        for _ in range(_TRIES):
            with _alone(self._root):
                made = self._changed_once(key, change)
            if made is not None:
                return made
        msg = f"{key}: others changed its record {_TRIES} times meanwhile. Try again."
        raise StorageError(msg)

    def _changed_once(self, key: Key, change: Callable[[Publication | None], Publication]) -> Publication | None:
        """None where somebody else came between."""
        known, etag = self._read(key) or (None, None)
        made = change(known)
        try:
            self._store.put_replacing(self._record_uri(key), to_bytes(made), etag)
        except ObjectConflictError:
            return None
        return made

    def _read(self, key: Key) -> tuple[Publication | None, str] | None:
        """The record and its etag; None instead of one that is none of ours, and where there is none at all."""
        uri = self._record_uri(key)
        try:
            etag = self._store.stat(uri).etag
            return self._if_sound(key, uri, etag), etag
        except ObjectNotFoundError:
            return None

    def _below(self, prefix: str) -> list[Publication]:
        start = f"{self._root}/tags/"
        found = list(islice(self._store.list(start + prefix), MOST_RECORDS + 1))
        if len(found) > MOST_RECORDS:
            msg = f"{start}: holds more than {MOST_RECORDS:,} objects, which no registry of Triptych's has."
            raise IntegrityError(msg)
        named = [(key_of_path(unquote(info.uri).removeprefix(unquote(start))), info) for info in found]
        wanted = [(key, self._record_uri(key), info.etag) for key, info in named if key is not None]
        with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
            read = list(pool.map(lambda each: self._if_sound(*each), wanted))
        return [each for each in read if each is not None]

    def _if_sound(self, key: Key, uri: str, etag: str) -> Publication | None:
        try:
            return self._parsed(key, uri, etag)
        except (IntegrityError, ObjectNotFoundError):
            return None  # The next push writes it anew.

    def _parsed(self, key: Key, uri: str, etag: str) -> Publication:
        """The record of this etag, or a newer one; read once."""
        seen = self._seen.get(uri)
        if seen is not None and seen[0] == etag:
            return seen[1]
        found = from_bytes(key, self._store.read(uri, MOST_BYTES))
        self._seen[uri] = etag, found
        return found

    def _make_folder(self) -> None:
        """That of a registry of files, for its owner alone."""
        for folder in folder_of(self._root):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _content_uri(self, sha256: str) -> str:
        return f"{self._root}/contents/{sha256}"

    def _record_uri(self, key: Key) -> str:
        return f"{self._root}/tags/{key.path}"


def _place(uri: str) -> list[str]:
    return place_of(uri) if uri else []


@contextmanager
def _alone(root: str) -> Iterator[None]:
    """In a folder, where a file's replacement has no condition of its own, one change of a record after the other."""
    folders = folder_of(root)
    if not folders:
        yield
        return
    with (folders[0] / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
