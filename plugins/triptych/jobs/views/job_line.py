"""One job as a list tells of it, whoever was asked: a workspace, or an Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from triptych.jobs.report import Sums


class JobState(StrEnum):
    """How far a job is, the most interesting first."""

    RUNNING = "running"
    QUEUED = "queued"
    """Airflow has it, and has begun nothing of it."""
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """It has no output and no failed chunk: it was stopped, or it runs where nobody here can see it."""
    DONE = "done"
    REMOVED = "removed"
    """Retention took it."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self not in (JobState.RUNNING, JobState.QUEUED)


@dataclass(frozen=True)
class JobLine:
    """One job; `template` and `run` are, of a workspace, the folders of both: their ids but for odd ones.

    Times are seconds since the epoch. What nobody told is None.
    """

    template: str
    run: str
    state: JobState
    changed: float | None
    """Of its newest object; in Airflow when it ended, began or was queued, whichever was last."""
    bytes: int | None
    launched: float | None
    ended: float | None
    sums: Sums | None
    error: str
    """Why its plan and logs cannot be read, as those of another version; empty where they can."""


@dataclass(frozen=True)
class Wanted:
    """Which jobs: of one template or all, in one of these states or any, changed at or after `since`."""

    template: str | None = None
    states: frozenset[JobState] = frozenset()
    since: float = 0.0
    """Seconds since the epoch."""
