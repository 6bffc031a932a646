"""The temporary areas of the workspace: uploads, and outputs that are to go after a while.

`<workspace>/_temporary/<expiry>-<token>/`: a listing alone tells when an area has expired, and who does not know its
token finds it by no name.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from triptych.errors import JobSpecError
from triptych.jobs.workspace import workspace_uri
from triptych.settings import Settings
from triptych.storage.walls import AREA, TEMPORARY

_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class TemporaryArea:
    """`name` is `20261128T120000Z-<32 hexadecimal digits>`, `uri` ends in `/`; what lies there may go at `expires`."""

    name: str
    uri: str
    expires: datetime


def temporary_area(settings: Settings, lifetime_s: float) -> TemporaryArea:
    """A new area, in which nothing lies yet; ConfigError when no workspace is configured."""
    expires = datetime.now(UTC) + timedelta(seconds=lifetime_s)
    return area_named(settings, f"{expires:{_STAMP}}-{secrets.token_hex(16)}")


def area_named(settings: Settings, name: str) -> TemporaryArea:
    """The area of this name, whether or not it is there; JobSpecError for what is no name of one."""
    expires = expiry_of(name)
    if expires is None:
        msg = f"{name}: is no name of an upload, as `triptych upload` prints it."
        raise JobSpecError(msg)
    return TemporaryArea(name, f"{areas_uri(settings)}{name}/", expires)


def areas_uri(settings: Settings) -> str:
    """The URI below which all areas lie, which ends in `/`; ConfigError when no workspace is configured."""
    return f"{workspace_uri(settings)}/{TEMPORARY}/"


def expiry_of(name: str) -> datetime | None:
    """When the area of this name expires; None for a name that is none of an area's."""
    found = AREA.fullmatch(name)
    try:
        return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
