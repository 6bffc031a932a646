"""What is checked of a folder or a file before it is published, and what its author is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from triptych.blocks import Block, Platform, Role, read_catalog
from triptych.blocks.check import check_schema
from triptych.blocks.document import read_document
from triptych.blocks.json_file import read_object
from triptych.blocks.manifest import read_block
from triptych.blocks.script_check import check_script
from triptych.blocks.versions import NAME
from triptych.errors import ManifestError
from triptych.registry.records import Publication
from triptych.registry.resolving import resolve
from triptych.registry.store import Pushed, Registry
from triptych.registry.units import published_tags
from triptych.schemas.files import Kind
from triptych.settings import Settings


@dataclass(frozen=True)
class Told:
    """What became of a push, and what its author should know beside it."""

    pushed: Pushed
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TemplateFile:
    """A template's file as it is published: with its id and its app's tag in it."""

    id: str
    path: Path
    sha256: str
    description: str
    notes: tuple[str, ...]


def checked_block(folder: Path, roles: Collection[Role]) -> tuple[Block, list[str]]:
    """The block in a folder, and what is odd about it; ManifestError with all that is wrong."""
    block, errors, warnings = read_block(folder / "manifest.json")
    if block is None:
        raise ManifestError([str(error) for error in errors])
    script = check_script(block)
    wrong = [*check_schema(block), *([script.diagnostic] if script and script.is_certain else [])]
    if block.role not in roles:
        word = "engine" if block.role.is_engine else "app"
        wrong_role = f"{folder}: {block.tag} is of the type {block.role}: `triptych {word} push` publishes it."
        raise ManifestError(wrong_role)
    if wrong:
        raise ManifestError([str(error) for error in wrong])
    taken = {(each.role, each.tag) for each in read_catalog(()).blocks}
    if (block.role, block.tag) in taken:
        msg = f"{block.role} {block.tag} comes with Triptych: give yours another name, or raise its version."
        raise ManifestError(msg)
    return block, [f"warning: {each}" for each in warnings]


def push_block(registry: Registry, settings: Settings, block: Block, by: str, *, activates: bool) -> Told:
    """Publish it. An engine that would run inside workers is published, too: whether it may run is an operator's."""
    notes: list[str] = []
    pushed = registry.push_block(block, by, activates=activates)
    if block.platform is Platform.PYTHON and not {block.name, block.tag} & set(settings.pushed_engines):
        notes.append(
            f"{block.tag} runs inside workers: no job uses it before an operator has named it in "
            "[triptych] pushed_engines."
        )
    if pushed.publication.status != "active":
        word = "engine" if block.role.is_engine else "app"
        notes.append(f"No job runs it yet: `triptych {word} activate {block.tag}`.")
    return Told(pushed, tuple(notes))


def checked_template(path: Path, work: Path, label: str = "") -> TemplateFile:
    """The template of a file, completed into `work`: what it leaves out, the manifest beside it says.

    `label` is what messages call it: its path. ManifestError with all that is wrong with the file alone, not with the
    blocks that it names.
    """
    shown = label or str(path)
    data, errors = read_object(path)
    if errors:
        raise ManifestError([f"{shown}: {each.location}: {each.message}" for each in errors])
    beside = path.parent / "manifest.json"
    own = (read_block(beside)[0] if beside.is_file() else None) if path.name == "template.json" else None
    keys = {key.lower() for key, value in data.items() if value is not None}
    if own is not None and own.role is Role.APP:
        data = {**({} if "id" in keys else {"id": own.name}), **({} if "app" in keys else {"app": own.name}), **data}
    out = work / "template.json"
    out.write_bytes(json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n")
    document = read_document(out, Kind.TEMPLATE)
    identity = document.data.get("id")
    if not document.errors and not (isinstance(identity, str) and NAME.fullmatch(identity) and "app" in document.data):
        document.error("is missing, or its `app` is: a template that is published names both.", "id")
    if document.errors:
        raise ManifestError([f"{shown}: {each.location}: {each.message}" for each in document.errors])
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    notes = tuple(f"warning: {shown}: {each.location}: {each.message}" for each in document.warnings)
    return TemplateFile(str(identity), out, sha256, str(document.data.get("description", "")), notes)


def push_template(registry: Registry, template: TemplateFile, by: str) -> Told:
    """Publish it; the notes say which of its blocks are not active yet."""
    pushed = registry.push_template(template.id, template.path, template.sha256, by, template.description)
    return Told(pushed, (*template.notes, *unusable(registry, pushed.publication)))


def unusable(registry: Registry, template: Publication) -> tuple[str, ...]:
    """Why jobs of a published template could not start now; nothing where they could."""
    blocks = [each for each in registry.publications() if each.key.role is not None]
    return resolve([*blocks, template], read_catalog(()).blocks, partial(published_tags, registry))[
        template.key.name
    ].reasons
