"""From all that is published to an index: which contents the jobs of each template run, or why it has none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from triptych.blocks import Block, Role
from triptych.blocks.model import name_of
from triptych.blocks.versions import NAME, highest_match
from triptych.errors import IntegrityError, ManifestError, ObjectNotFoundError
from triptych.registry.records import Content, Publication, is_digest

MOST_BYTES = 64 << 20
"""Of an index."""
PASSTHROUGH = "passthrough"
"""The engine of a template that names none."""


@dataclass(frozen=True)
class Unit:
    """One template with its blocks, by the SHA-256 of their contents; Triptych's own engines have none.

    With `reasons` it cannot be used: its DAG says them.
    """

    template: str = ""
    blocks: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of all that it is made of."""
        return hashlib.sha256(_compact(asdict(self))).hexdigest()


Index = Mapping[str, Unit]
"""The units by their template's id."""


def resolve(
    publications: Sequence[Publication],
    built_in: Iterable[Block],
    tags_of: Callable[[str, Content], Mapping[Role, str]],
) -> Index:
    """The index of what is active. A template's tag means the highest active version, or one of Triptych's own engines.

    `tags_of` reads the tags in an active template of this id; its errors, when it is none, are the template's reasons.
    """
    known: dict[tuple[Role, str], dict[str, str]] = {}
    for each in publications:
        if each.key.role is not None and each.active is not None:
            known.setdefault((each.key.role, each.key.name), {})[each.key.version] = each.active.sha256
    for block in built_in:
        # Triptych's own comes before one that was published under its name.
        known.setdefault((block.role, block.name), {})[block.version] = ""
    index: dict[str, Unit] = {}
    for each in publications:
        if each.key.role is None:
            try:
                index[each.key.name] = _unit(each, known, tags_of)
            except (ManifestError, IntegrityError, ObjectNotFoundError) as error:
                index[each.key.name] = Unit(reasons=tuple(str(error).splitlines()))
    return index


def _unit(
    publication: Publication,
    known: Mapping[tuple[Role, str], Mapping[str, str]],
    tags_of: Callable[[str, Content], Mapping[Role, str]],
) -> Unit:
    name = publication.key.name
    if publication.active is None:
        raise ManifestError([f"It was deactivated: `triptych template activate {name}` brings it back."])
    tags, blocks, missing = tags_of(name, publication.active), {}, []
    for role, tag in tags.items():
        versions = known.get((role, name_of(tag)), {})
        version = highest_match(tag, versions)
        if version is None:
            missing.append(_missing(role, tag, sorted(versions)))
        elif versions[version]:
            blocks[role.value] = versions[version]
    if missing:
        raise ManifestError(missing)
    return Unit(publication.active.sha256, blocks)


def _missing(role: Role, tag: str, versions: Sequence[str]) -> str:
    word = "engine" if role.is_engine else "app"
    others = f" Active of that name: {', '.join(versions)}." if versions else ""
    return f"No active {role} is {tag!r}.{others} Push one, or activate it: `triptych {word} activate {tag}`."


def index_bytes(index: Index) -> bytes:
    """As it is kept: the same index has the same bytes, and so the same SHA-256, which is its version."""
    return _compact({name: asdict(unit) for name, unit in index.items()})


def read_index(data: bytes, version: str) -> Index:
    """What `index_bytes` made; IntegrityError when it is not that of this version."""
    if hashlib.sha256(data).hexdigest() != version:
        msg = f"The index of what is published has another SHA-256 than its version, {version[:12]}."
        raise IntegrityError(msg)
    try:
        return {name: _of_json(name, unit) for name, unit in json.loads(data).items()}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        msg = f"The index of what is published, {version[:12]}, is none ({type(error).__name__})."
        raise IntegrityError(msg) from None


def _of_json(name: str, data: Mapping[str, Any]) -> Unit:
    unit = Unit(data["template"], dict(data["blocks"]), tuple(data["reasons"]))
    digests = [unit.template, *unit.blocks.values()] if not unit.reasons else []
    if not NAME.fullmatch(name) or not all(map(is_digest, digests)) or set(unit.blocks) - set(Role):
        raise ValueError
    return unit


def _compact(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
