"""A template with its blocks on this machine: an include folder of its own, made whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from triptych.blocks import BUILT_IN, Block, Catalog, Diagnostic, Platform, Role, Template, read_catalog
from triptych.blocks.document import read_document
from triptych.blocks.model import name_of
from triptych.errors import IntegrityError, ManifestError
from triptych.jobs.code import thaw_code
from triptych.registry.records import Content
from triptych.registry.resolving import PASSTHROUGH, Unit
from triptych.registry.store import Registry
from triptych.schemas.files import Kind

Fetch = Callable[[str, Path], None]
"""Writes the content of this SHA-256 to a file; IntegrityError when it is another."""
KEPT_S = 7 * 86400
"""How long a unit is kept that nobody used: a callback of an older version may still ask for it."""
_PARTS = {Role.APP: "apps/published", Role.PARTITIONER: "engines/partitioner", Role.ASSEMBLER: "engines/assembler"}


def make_unit(folder: Path, unit: Unit, fetch: Fetch) -> None:
    """Have the unit in this folder, whoever made it. IntegrityError, or what `fetch` raises, and no folder."""
    if folder.is_dir():
        with suppress(OSError):
            os.utime(folder)
        return
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        made = work / "unit"
        for role, sha256 in unit.blocks.items():
            tar = work / f"{role}.tar"
            fetch(sha256, tar)
            block = thaw_code(tar, made / _PARTS[Role(role)])
            if block.role != role:
                msg = f"{sha256[:12]}: is {block.role} {block.tag}, and is published as {role}."
                raise IntegrityError(msg)
        # In its app's folder: an app without a template would have a DAG of its own.
        fetch(unit.template, made / _PARTS[Role.APP] / "template.json")
        with suppress(OSError):  # Somebody else was first.
            made.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def read_unit(folder: Path, template_id: str, built_in: Sequence[Block] | None = None) -> Catalog:
    """The template and its blocks, as a catalog that holds nothing else but Triptych's own engines."""
    return read_catalog((folder,), only=template_id, built_in=built_in)


def forget_units(folder: Path, used: Sequence[str]) -> None:
    """Remove the units that are none of these digests, which nobody has used for KEPT_S."""
    last = time.time() - KEPT_S
    with suppress(OSError):
        for each in folder.iterdir():
            if each.name not in used and each.stat().st_mtime < last:
                shutil.rmtree(each, ignore_errors=True)


def published_tags(registry: Registry, template_id: str, content: Content) -> dict[Role, str]:
    """The tags in a published template; ManifestError where it is none of this id, or else as `Registry.fetch`."""
    with tempfile.TemporaryDirectory(prefix="triptych-registry-") as work:
        path = Path(work, "template.json")
        registry.fetch(content, path)
        return _tags(path, template_id)


def _tags(path: Path, template_id: str) -> dict[Role, str]:
    document = read_document(path, Kind.TEMPLATE)
    if document.errors:
        raise ManifestError([f"{each.location}: {each.message}" for each in document.errors])
    if document.data.get("id") != template_id or "app" not in document.data:
        msg = f"$.id: a published template names its id, {template_id!r}, and its app."
        raise ManifestError(msg)
    return {role: str(document.data.get(role, PASSTHROUGH)) for role in Role}


def unconsented(template: Template, consented: Sequence[str]) -> list[Diagnostic]:
    """What is wrong where a published engine would run inside workers, and no operator has named it."""
    return [
        Diagnostic(
            block.folder / "manifest.json",
            "$.platform",
            f"{block.role} {block.tag} is published and would run inside workers: it needs an operator's consent, "
            f"[triptych] pushed_engines = {block.tag}, on every machine of this Airflow. On the platform docker it "
            "needs none.",
        )
        for block in template.blocks.values()
        if block.platform is Platform.PYTHON
        and not block.folder.is_relative_to(BUILT_IN)
        and not {block.tag, name_of(block.tag)} & set(consented)
    ]
