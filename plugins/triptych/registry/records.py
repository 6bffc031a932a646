"""The record of one tag: what it means, and what of it is active."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from triptych.blocks import Role
from triptych.blocks.versions import NAME, VERSION
from triptych.errors import IntegrityError

MOST_BYTES = 64 << 10
"""Of one record."""
TEMPLATE = "template"
"""What a key of a template has where one of a block has its role."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_TEXT = 1000
"""Of a description and the like, which lists show."""


@dataclass(frozen=True)
class Key:
    """Whose record it is: a block by role, name and version; a template, which has neither, by its id alone."""

    role: Role | None
    name: str
    version: str = ""

    @property
    def tag(self) -> str:
        """`rows@1.0`; a template's id."""
        return f"{self.name}@{self.version}" if self.version else self.name

    @property
    def word(self) -> str:
        """What it is: a role, or `template`."""
        return self.role or TEMPLATE

    @property
    def path(self) -> str:
        """Where its record lies, relative to all records."""
        return f"{self.word}/{self.name}/{self.version}.json" if self.version else f"{self.word}/{self.name}.json"

    def __str__(self) -> str:
        return f"{self.word} {self.tag}"


@dataclass(frozen=True)
class Content:
    """What was pushed once: a block's frozen tar, or a template's JSON."""

    sha256: str
    size: int
    pushed_at: str
    """In ISO 8601, UTC, by the clock of who pushed."""
    pushed_by: str
    token: str
    """Of this push alone: two of the same bytes are told apart by it."""
    platform: str = ""
    image: str = ""
    description: str = ""

    @property
    def digest(self) -> str:
        """As messages show it: its first twelve digits."""
        return self.sha256[:12]


@dataclass(frozen=True)
class Publication:
    """A tag's content, and the one that is active: another when the tag was moved since it was activated."""

    key: Key
    content: Content
    active: Content | None = None

    @property
    def digests(self) -> set[str]:
        """The SHA-256 of each content that it names."""
        return {each.sha256 for each in (self.content, self.active) if each is not None}

    @property
    def status(self) -> str:
        """`active`, `inactive`, or `outdated` when what is active is not what the tag means."""
        if self.active is None:
            return "inactive"
        return "active" if self.active.sha256 == self.content.sha256 else "outdated"


def to_bytes(publication: Publication) -> bytes:
    """As the record lies in the store."""
    data = {"content": asdict(publication.content), "active": publication.active and asdict(publication.active)}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def from_bytes(key: Key, data: bytes) -> Publication:
    """What `to_bytes` made; IntegrityError, naming the key, for anything else."""
    try:
        found = json.loads(data)
        active = found["active"]
        return Publication(key, _content(found["content"]), None if active is None else _content(active))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        msg = f"The registry's record of {key} is none ({type(error).__name__}). Push it again."
        raise IntegrityError(msg) from None


def key_of_path(path: str) -> Key | None:
    """The key whose record lies at this path; None where no record of ours has such a name."""
    parts = path.removesuffix(".json").split("/")
    if not path.endswith(".json") or not all(NAME.fullmatch(part) for part in parts[:2]):
        return None
    if parts[0] == TEMPLATE:
        return Key(None, parts[1]) if len(parts) == 2 else None
    is_version = len(parts) == 3 and VERSION.fullmatch(parts[2])
    return Key(Role(parts[0]), parts[1], parts[2]) if is_version and parts[0] in tuple(Role) else None


def is_digest(text: object) -> bool:
    """Whether it is a SHA-256 in hexadecimal."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def _content(data: Mapping[str, Any]) -> Content:
    content = Content(**data)
    texts = [value for name, value in data.items() if name != "size"]
    if not is_digest(content.sha256) or type(content.size) is not int or content.size < 0:
        raise ValueError
    if not all(isinstance(text, str) and len(text) <= _MOST_TEXT for text in texts):
        raise ValueError
    return content


def short(text: str) -> str:
    """A text of a block's author as a record may hold it."""
    return text[:_MOST_TEXT]
