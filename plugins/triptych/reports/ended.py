"""How a job's last stage ended: the one thing of a job that its plan and logs do not tell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from triptych.errors import ObjectNotFoundError
from triptych.jobs.records import read_record
from triptych.jobs.workspace import Workspace

ENDED = "ended.json"
"""Its object in the workspace; the last stage to end has the last word."""


@dataclass(frozen=True)
class Ended:
    """`at` in seconds since the epoch; `error` is why the job failed, None when it did not."""

    plan: int
    at: float
    error: str | None


def put_ended(workspace: Workspace, plan: int, error: str | None) -> None:
    """Say that the job ended now, under the plan of this generation."""
    workspace.put_json(ENDED, asdict(Ended(plan, time.time(), error)))


def read_ended(workspace: Workspace) -> Ended | None:
    """What was said last; None of a job that has not ended yet, or ended before this was noted."""
    uri = workspace.uri(ENDED)
    try:
        data = workspace.store.read(uri)
    except ObjectNotFoundError:
        return None
    return read_record(data, uri, _ended)


def _ended(data: Mapping[str, Any]) -> Ended:
    return Ended(data["plan"], data["at"], data["error"])
