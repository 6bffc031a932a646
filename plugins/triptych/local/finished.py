"""What is kept of a local job that is done: all that `triptych job show` reads, and none of the data."""

from __future__ import annotations

import calendar
import shutil
import time
from pathlib import Path

from triptych.retention.planning import EMPTIED_DAYS
from triptych.settings import DAY_S

_STARTED = "local-%Y%m%dT%H%M%S"


def remove_data(job: Path) -> None:
    """Leave plans, logs and lists of the job in this folder; its code goes first, by which it is known as done."""
    shutil.rmtree(job / "code", ignore_errors=True)
    chunks = [path for path in (job / "chunks").glob("*") if path.is_dir()]
    for folder in (job / "results", *chunks):
        shutil.rmtree(folder, ignore_errors=True)


def remove_old(jobs: Path, days: int = EMPTIED_DAYS) -> None:
    """Remove what is left of this template's jobs that were done, and launched so many days ago."""
    for job in jobs.glob("local-*"):
        try:
            started = time.strptime(job.name.rpartition("-")[0], _STARTED)
        except ValueError:
            continue  # No name of ours.
        # `new_run_id` writes UTC.
        if time.time() - calendar.timegm(started) > days * DAY_S and not (job / "code").exists():
            shutil.rmtree(job, ignore_errors=True)
