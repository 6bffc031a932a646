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
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from triptych.blocks import Block, Role
from triptych.blocks.json_file import read_object
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
from triptych.jobs.code import MOST_TAR_BYTES, freeze_code, thaw_code
from triptych.registry.records import (
    MOST_BYTES,
    Content,
    Key,
    Publication,
    from_bytes,
    is_digest,
    key_of_path,
    short,
    to_bytes,
)
from triptych.settings import Settings
from triptych.storage import OBJECTS_AT_ONCE, ObjectInfo, Store, Stores
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

    def activate(self, key: Key, digest: str = "") -> Publication:
        """Let jobs run what the tag means now, or a content that was pushed as it before, by its first digits.

        ObjectNotFoundError where nothing of this key is published; ManifestError where no content of it is so called.
        """
        if digest:
            earlier = self._earlier(key, digest)
            return self._change(key, lambda known: dataclasses.replace(known, active=earlier))
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

    def unnamed(self) -> Iterator[ObjectInfo]:
        """Contents that no record names: pushed once, and replaced or deactivated since, or never published.

        IntegrityError where a record is none of ours: what it named nobody can tell.
        """
        start = self._content_uri("")
        found = [(name, info) for info in self._store.list(start) if is_digest(name := info.uri.removeprefix(start))]
        named = set[str]()
        for key, uri, etag in self._records(""):
            with suppress(ObjectNotFoundError):
                known = self._parsed(key, uri, etag)
                named |= known.digests
        yield from (info for name, info in found if name not in named)

    def drop(self, info: ObjectInfo) -> bool:
        """Remove a content that nobody names, unless it was written again since; whether it is gone by our doing."""
        if [each.modified for each in self._store.list(info.uri)] != [info.modified]:
            return False
        self._store.delete(info.uri)
        return True

    def _earlier(self, key: Key, digest: str) -> Content:
        """A content of this key, by its first digits; it is written anew, so that nobody takes it for old."""
        start = self._content_uri("")
        wanted = digest.removeprefix("sha256:")
        listed = self._store.list(start + wanted) if re.fullmatch("[0-9a-f]{8,64}", wanted) else ()
        found = list(islice(listed, 2))
        if len(found) != 1:
            reason = "so several contents begin" if found else "is no content here, by its first digits, 8 or more"
            msg = f"{key}: {digest}: {reason}. What no tag means any more is kept for `keep_published_days`."
            raise ManifestError(msg)
        (info,) = found
        sha256 = info.uri.removeprefix(start)
        with tempfile.TemporaryDirectory(prefix="triptych-registry-") as work:
            path = Path(work, "content")
            save(self.blocks_of(sha256, info.size), path)
            content = _content_of(key, path, Content(sha256, info.size, _day(info), "", secrets.token_hex(8)))
            copy_stream(file_blocks(path), self._store, info.uri)
        return content

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
        for sha256 in (known.digests if known else set()) - made.digests:
            # From now on it has an age, and can be gone back to for so long, whenever it was pushed.
            with suppress(IntegrityError, ObjectNotFoundError):
                copy_stream(self.blocks_of(sha256), self._store, self._content_uri(sha256))
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
        with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
            read = list(pool.map(lambda each: self._if_sound(*each), self._records(prefix)))
        return [each for each in read if each is not None]

    def _records(self, prefix: str) -> list[tuple[Key, str, str]]:
        """Of each record below it the key, its URI and its etag."""
        start = f"{self._root}/tags/"
        found = list(islice(self._store.list(start + prefix), MOST_RECORDS + 1))
        if len(found) > MOST_RECORDS:
            msg = f"{start}: holds more than {MOST_RECORDS:,} objects, which no registry of Triptych's has."
            raise IntegrityError(msg)
        named = [(key_of_path(unquote(info.uri).removeprefix(unquote(start))), info) for info in found]
        return [(key, self._record_uri(key), info.etag) for key, info in named if key is not None]

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


def _content_of(key: Key, path: Path, content: Content) -> Content:
    """The content with what its bytes say of it; ManifestError where they are another key's."""
    if key.role is None:
        data, _ = read_object(path)
        if data.get("id") == key.name:
            return dataclasses.replace(content, description=short(str(data.get("description", ""))))
        msg = f"{key}: {content.digest} is another's: it is no template of this id."
        raise ManifestError(msg)
    with tempfile.TemporaryDirectory(prefix="triptych-registry-") as work:
        try:
            block = thaw_code(path, Path(work, "block"))
        except IntegrityError:
            block = None
        if block is None or (block.role, block.name, block.version) != (key.role, key.name, key.version):
            msg = f"{key}: {content.digest} is {f'{block.role} {block.tag}' if block else 'no block'}."
            raise ManifestError(msg)
        image, description = short(block.image or ""), short(block.description)
        return dataclasses.replace(content, platform=block.platform, image=image, description=description)


def _day(info: ObjectInfo) -> str:
    """When a content was last written, as `Content.pushed_at`; now where the store does not tell."""
    if info.modified is None:
        return _now()
    return datetime.fromtimestamp(info.modified, UTC).isoformat(timespec="seconds")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
