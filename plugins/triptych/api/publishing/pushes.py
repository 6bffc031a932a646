"""What the archives and templates of publishers become, and how what is published is told."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from triptych.api.answers import ApiError
from triptych.api.kept import stores
from triptych.blocks import Role
from triptych.blocks.json_file import MOST_BYTES as MOST_TEMPLATE_BYTES
from triptych.errors import ManifestError
from triptych.jobs.code import unpack_block
from triptych.jobs.workspace import to_json
from triptych.registry import Publication, Registry, open_registry
from triptych.registry.pushing import Told, checked_block, checked_template, push_block, push_template
from triptych.settings import get_settings
from triptych.storage import Stores

MOST_BODY_BYTES = 64 << 20
"""Of a push; larger code is published by `triptych app push` into the registry's own store."""


def registry() -> Registry:
    """That of this process, which keeps what it has read of it."""
    return _registry(stores())


@lru_cache(1)
def _registry(opened: Stores) -> Registry:
    return open_registry(get_settings(), opened)


def push_archive(data: str, by: str, *, activates: bool) -> Told:
    """Publish the block in a tar that is written in base64; ApiError and ManifestError for what is none."""
    kept, settings = registry(), get_settings()
    with _work() as work:
        try:
            (work / "pushed.tar").write_bytes(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            raise ApiError(400, "data: must be a tar of the block's folder, in base64.") from None
        unpack_block(work / "pushed.tar", work / "block")
        block, notes = checked_block(work / "block", tuple(Role))
        told = push_block(kept, settings, block, by, activates=activates)
        return Told(told.pushed, (*_plain(work, notes), *told.notes))


def checked_id(template: dict[str, Any]) -> str:
    """The id of a template that was sent; ManifestError with all that is wrong with it."""
    with _work() as work:
        return checked_template(_written(work, template), work, "The template").id


def push_document(template: dict[str, Any], by: str) -> Told:
    """Publish a template that was sent."""
    kept = registry()
    with _work() as work:
        return push_template(kept, checked_template(_written(work, template), work, "The template"), by)


def fetched(publication: Publication) -> str:
    """The tag's content in base64; ApiError where it is larger than what can be pushed here."""
    content = publication.content
    if content.size > MOST_BODY_BYTES * 3 // 4:
        raise ApiError(400, f"{publication.key}: has {content.size:,} bytes, and is to be had from the registry alone.")
    return base64.b64encode(b"".join(registry().blocks_of(content.sha256, content.size))).decode()


def about(publication: Publication) -> dict[str, Any]:
    """As clients know an app; with the digests in hexadecimal, too."""
    content, active = publication.content, publication.active
    return {
        "id": publication.key.tag,
        "name": publication.key.name,
        "version": publication.key.version,
        "type": publication.key.word,
        "description": content.description,
        "status": publication.status,
        "isPublic": False,
        "userName": content.pushed_by,
        "createdAt": content.pushed_at,
        "updatedAt": content.pushed_at,
        "platform": content.platform,
        "platformConfig": {"container": content.image, "secrets": []},
        "hash": base64.b64encode(bytes.fromhex(content.sha256)).decode(),
        "content": vars(content),
        "active": vars(active) if active else None,
    }


def _written(work: Path, template: dict[str, Any]) -> Path:
    data = to_json(template)
    if len(data) > MOST_TEMPLATE_BYTES:
        raise ApiError(413, f"A template has {MOST_TEMPLATE_BYTES >> 20} MiB at most.")
    path = work / "sent.json"
    path.write_bytes(data)
    return path


def _plain(work: Path, lines: list[str]) -> list[str]:
    """Without the folder in which it was looked at."""
    return [line.replace(f"{work}/block/", "") for line in lines]


@contextmanager
def _work() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="triptych-push-") as folder:
        try:
            yield Path(folder)
        except ManifestError as error:
            raise ManifestError(_plain(Path(folder), error.diagnostics)) from None
