"""Where a command publishes: a registry that this machine reaches, or an Airflow's Jobs API."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from triptych.blocks import Block, Role
from triptych.errors import ManifestError
from triptych.registry import Publication, Registry, open_registry
from triptych.registry.pushing import TemplateFile, Told, push_block, push_template
from triptych.registry.records import Content
from triptych.settings import Settings
from triptych.storage import Stores

Roles = Sequence[Role | None]
"""What a command means: an app, either sort of engine, or (None) a template."""


class Shelf(Protocol):
    """What can be asked of either."""

    @property
    def label(self) -> str:
        """Where it is, for messages."""

    def push_block(self, block: Block, *, activates: bool) -> Told:
        """Publish a block that was checked."""

    def push_template(self, template: TemplateFile) -> Told:
        """Publish a template that was checked."""

    def publications(self, roles: Roles) -> list[Publication]:
        """All of these roles, by tag."""

    def find(self, roles: Roles, tag: str) -> Publication:
        """The one that a tag means; ManifestError when there is none, or one of each role."""

    def set_active(self, publication: Publication, *, is_active: bool, digest: str = "") -> Publication:
        """Let jobs run what the tag means now, or the content of this digest, or nothing of it."""

    def fetch(self, publication: Publication, content: Content, path: Path) -> None:
        """Write a content of it to a file."""


class StoreShelf:
    """A registry in its store."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry: Registry = open_registry(settings, Stores(settings))

    @property
    def label(self) -> str:
        """The registry's URI."""
        return self._settings.registry

    def push_block(self, block: Block, *, activates: bool) -> Told:
        """As this machine's user."""
        return push_block(self._registry, self._settings, block, getpass.getuser(), activates=activates)

    def push_template(self, template: TemplateFile) -> Told:
        """As this machine's user."""
        return push_template(self._registry, template, getpass.getuser())

    def publications(self, roles: Roles) -> list[Publication]:
        """From one listing."""
        return [each for each in self._registry.publications() if each.key.role in roles]

    def find(self, roles: Roles, tag: str) -> Publication:
        """By its records."""
        return found_among(self._registry, roles, tag)

    def set_active(self, publication: Publication, *, is_active: bool, digest: str = "") -> Publication:
        """By its record."""
        key = publication.key
        return self._registry.activate(key, digest) if is_active else self._registry.deactivate(key)

    def fetch(self, publication: Publication, content: Content, path: Path) -> None:
        """Checked by its SHA-256."""
        self._registry.fetch(content, path)


def found_among(registry: Registry, roles: Roles, tag: str) -> Publication:
    """The one that a tag means in one of these roles; ManifestError when there is none, or one of each."""
    found: list[Publication] = []
    reasons: list[str] = []
    for role in roles:
        try:
            found.append(registry.find(role, tag))
        except ManifestError as error:
            reasons.append(str(error))
    if not found:
        raise ManifestError(reasons)
    if len(found) > 1:
        msg = f"{tag!r} is the name of a partitioner and of an assembler: say which by --type."
        raise ManifestError(msg)
    return found[0]
