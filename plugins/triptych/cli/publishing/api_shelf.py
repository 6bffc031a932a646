"""What is published through the Jobs API of an Airflow."""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from triptych.api.prefix import PREFIX
from triptych.blocks import Block, Role
from triptych.blocks.json_file import read_object
from triptych.blocks.model import name_of
from triptych.blocks.versions import highest_match
from triptych.cli.publishing.shelves import Roles
from triptych.errors import IntegrityError, ManifestError
from triptych.jobs.code import freeze_code
from triptych.registry import Content, Key, Publication, Pushed
from triptych.registry.pushing import TemplateFile, Told
from triptych.registry.records import TEMPLATE

if TYPE_CHECKING:
    from triptych.airflow.rest import AirflowClient

_DEV = f"{PREFIX}/dev"


class ApiShelf:
    """The registry of an Airflow, as one of its users finds it."""

    def __init__(self, client: AirflowClient) -> None:
        self._client = client

    @property
    def label(self) -> str:
        """The Airflow's URL."""
        return self._client.url

    def push_block(self, block: Block, *, activates: bool) -> Told:
        """As its frozen tar."""
        with tempfile.TemporaryDirectory(prefix="triptych-push-") as work:
            tar = Path(work, "code.tar")
            freeze_code(block, tar)
            data = base64.b64encode(tar.read_bytes()).decode()
        family = "engines" if block.role.is_engine else "apps"
        return _told(self._client.ask("POST", f"{_DEV}/{family}", {"data": data, "activate": activates}))

    def push_template(self, template: TemplateFile) -> Told:
        """As the JSON that it is."""
        told = _told(self._client.ask("POST", f"{_DEV}/templates", read_object(template.path)[0]))
        return Told(told.pushed, (*template.notes, *told.notes))

    def publications(self, roles: Roles) -> list[Publication]:
        """From one answer."""
        found = map(_publication, self._client.ask("GET", f"{_DEV}/published")["published"])
        return [each for each in found if each.key.role in roles]

    def find(self, roles: Roles, tag: str) -> Publication:
        """Among all."""
        named = [each for each in self.publications(roles) if each.key.name == name_of(tag)]
        found = []
        for role in roles:
            versions = {each.key.version: each for each in named if each.key.role is role}
            version = highest_match(tag, versions)
            found += [versions[version]] if version is not None else []
        if len(found) != 1:
            reason = "say which by --type: it is the name of both" if found else "is not published there"
            msg = f"{tag}: {reason}."
            raise ManifestError(msg)
        return found[0]

    def set_active(self, publication: Publication, *, is_active: bool, digest: str = "") -> Publication:
        """By its whole tag."""
        verb = "activate" if is_active else "deactivate"
        return _publication(self._client.ask("POST", _path(publication, verb), {"digest": digest} if digest else {}))

    def fetch(self, publication: Publication, content: Content, path: Path) -> None:
        """Checked by its SHA-256."""
        answer = self._client.ask("GET", _path(publication, "download"))
        try:
            data = base64.b64decode(str(answer.get("data")), validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if hashlib.sha256(data).hexdigest() != content.sha256:
            msg = f"{publication.key}: what came has another SHA-256 than {content.digest}. Was it pushed meanwhile?"
            raise IntegrityError(msg)
        path.write_bytes(data)


def _path(publication: Publication, verb: str) -> str:
    key = publication.key
    family = "templates" if key.role is None else "engines" if key.role.is_engine else "apps"
    chosen = f"?type={key.role}" if family == "engines" else ""
    return f"{_DEV}/{family}/{quote(key.tag, safe='@')}/{verb}{chosen}"


def _told(answer: Mapping[str, Any]) -> Told:
    before = answer.get("before")
    notes = tuple(map(str, answer.get("notes", ())))
    return Told(Pushed(_publication(answer), Content(**before) if before else None), notes)


def _publication(answer: Mapping[str, Any]) -> Publication:
    """IntegrityError for an answer that tells of none."""
    try:
        word, active = answer["type"], answer["active"]
        key = Key(None if word == TEMPLATE else Role(word), str(answer["name"]), str(answer["version"]))
        return Publication(key, Content(**answer["content"]), Content(**active) if active else None)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        msg = (
            f"The answer tells of nothing that is published ({type(error).__name__}). Is this Triptych of its version?"
        )
        raise IntegrityError(msg) from None
