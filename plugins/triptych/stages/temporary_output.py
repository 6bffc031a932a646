"""Where the output goes of a job whose destination is temporary storage: one area for all attempts of a round.

Links to its files last as long as is configured from when they are signed, and the area at least as long as they do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from triptych.jobs.job import PlannedJob
from triptych.jobs.records import read_record
from triptych.jobs.temporary import TemporaryArea, area_named, temporary_area
from triptych.jobs.workspace import to_json

_FOLDER = "bucket/"


def output_area(job: PlannedJob) -> TemporaryArea:
    """The area that the run has, if links that are signed now would last in it; else a new one.

    Of several attempts that make one at once, the first to write its name counts, and the others take that.
    """
    workspace = job.workspace
    number = len(workspace.names(_FOLDER))
    if number:
        area = _recorded(job, number - 1)
        if area.expires >= datetime.now(UTC) + timedelta(seconds=job.settings.temporary_s):
            return area
    left_s = max(0.0, job.deadline - datetime.now(UTC).timestamp())
    mine = temporary_area(job.settings, left_s + job.settings.temporary_s)
    workspace.store.put_if_absent(workspace.uri(_name(number)), to_json({"area": mine.name}))
    return _recorded(job, number)


def _recorded(job: PlannedJob, number: int) -> TemporaryArea:
    uri = job.workspace.uri(_name(number))
    return read_record(job.workspace.store.read(uri), uri, partial(_area, job))


def _area(job: PlannedJob, data: dict[str, Any]) -> TemporaryArea:
    return area_named(job.settings, str(data["area"]))


def _name(number: int) -> str:
    return f"{_FOLDER}{number}.json"
