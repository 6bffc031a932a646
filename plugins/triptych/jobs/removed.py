"""What stays of a run whose data retention took: one small object, by which a repair can say so.

It is written before anything is removed: a removal that was broken off is known by it, and ended the next time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from triptych.errors import IntegrityError, ObjectNotFoundError
from triptych.jobs.locations import Location
from triptych.jobs.records import read_record
from triptych.jobs.workspace import Workspace

REMOVED = "removed.json"


@dataclass(frozen=True)
class Removed:
    """When it was taken (seconds since the epoch), why, and where the run's output was to go, if not here."""

    at: float
    why: str
    destination: Location | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `put_removed` wrote."""
        to = data["destination"]
        return cls(data["at"], data["why"], Location.from_json(to) if to else None)


def put_removed(workspace: Workspace, removed: Removed) -> None:
    """Say that retention takes this run: where its plans are gone, too, no stage begins anything in it."""
    workspace.put_json(REMOVED, asdict(removed))


def unmark(workspace: Workspace) -> None:
    """Take back that retention takes this run, of which nothing is gone."""
    workspace.store.delete(workspace.uri(REMOVED))


def read_removed(workspace: Workspace) -> Removed | None:
    """What was said of the run's removal; None for a run that is there, or never was."""
    uri = workspace.uri(REMOVED)
    try:
        data = workspace.store.read(uri)
    except ObjectNotFoundError:
        return None
    return read_record(data, uri, Removed.from_json)


def check_not_removed(workspace: Workspace) -> None:
    """IntegrityError, with the remedy, when retention took what there was of this run."""
    removed = read_removed(workspace)
    if removed is not None:
        day = time.strftime("%Y-%m-%d", time.gmtime(removed.at))
        msg = (
            f"{workspace.root}: retention removed this run's data on {day} ({removed.why}): launch the job anew; its "
            "output is where it was put."
        )
        raise IntegrityError(msg)
