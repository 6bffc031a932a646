"""Drafts: jobs that were not run yet. A draft's id becomes its run's, so that Airflow alone says what has become of it.

They lie at `_api/drafts/<digest of the owner's id>/<id>.json`: nobody finds another's. Their ids (UUID version 7) say
when they were made, and so when they end; an owner's next listing takes away what has ended.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from triptych.api.answers import ApiError
from triptych.api.kept import Kept
from triptych.settings import DAY_S

LIFETIME_S = 7 * DAY_S
MOST_DRAFTS = 1000
"""Of one user."""
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Draft:
    """What is to become a job: the conf of its run, and what a client is to be told again.

    `upload` is the area and the name of what is to be uploaded, in which case `conf` has no source yet; else empty.
    """

    id: str
    template: str
    name: str = ""
    description: str = ""
    conf: Mapping[str, Any] = field(default_factory=dict)
    upload: tuple[str, str] | None = None
    is_uploaded: bool = False
    etag: str | None = None
    """Of its object, by which a change of it is known; None of a new one."""

    @property
    def created(self) -> datetime:
        """When its id was made."""
        return datetime.fromtimestamp(_made_s(self.id), UTC)


def new_id() -> str:
    """A UUID of version 7."""
    import uuid6

    return str(uuid6.uuid7())


class Drafts:
    """One user's."""

    def __init__(self, owner: str) -> None:
        self._kept = Kept(f"drafts/{hashlib.sha256(owner.encode()).hexdigest()[:32]}")

    def add(self, draft: Draft) -> None:
        """Keep a new one; ApiError when there are too many."""
        if len(self._ids()) >= MOST_DRAFTS:
            raise ApiError(400, f"You have {MOST_DRAFTS} jobs that were never run. Run or delete some.")
        self.keep(draft)

    def find(self, identity: str) -> Draft | None:
        """The draft of this id; None when there is none, or its time is over."""
        found = self._kept.read(identity) if _is_alive(identity) else None
        return _of(*found) if found else None

    def keep(self, draft: Draft) -> None:
        """Write it over what was found; ObjectConflictError when somebody has changed that meanwhile."""
        self._kept.put(draft.id, _json(draft), draft.etag)

    def remove(self, identity: str) -> None:
        """Nothing happens when it is not there."""
        if _is_alive(identity):
            self._kept.remove(identity)

    def all(self) -> list[Draft]:
        """The newest first."""
        found = [self._kept.read(identity) for identity in sorted(self._ids(), reverse=True)]
        return [_of(*each) for each in found if each]

    def _ids(self) -> list[str]:
        names = [name for name in self._kept.names() if _ID.fullmatch(name)]
        for name in names:
            if not _is_alive(name):
                self._kept.remove(name)
        return [name for name in names if _is_alive(name)]


def _is_alive(identity: str) -> bool:
    return bool(_ID.fullmatch(identity)) and _made_s(identity) + LIFETIME_S > time.time()


def _made_s(identity: str) -> float:
    """RFC 9562, 5.7: 48 bits of milliseconds."""
    return (UUID(identity).int >> 80) / 1000


def _json(draft: Draft) -> dict[str, Any]:
    return {key: value for key, value in asdict(draft).items() if key != "etag"}


def _of(data: Mapping[str, Any], etag: str) -> Draft:
    upload = data["upload"]
    return Draft(**{**data, "upload": tuple(upload) if upload else None, "etag": etag})
