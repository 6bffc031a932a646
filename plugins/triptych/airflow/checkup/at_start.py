"""Tells the logs of Airflow's components of what keeps jobs from ending well, when they start."""

from __future__ import annotations

from airflow.listeners import hookimpl

from triptych.airflow.checkup.configuration import check_configuration, check_shared
from triptych.checkup import Standing
from triptych.errors import TriptychError
from triptych.harmless import harmless_logger
from triptych.settings import configured_settings

COMPONENT = "Job"
"""The class of what starts in the scheduler, the DAG processor and the triggerer; that of a task is another."""
_log = harmless_logger(__name__)


@hookimpl  # type: ignore[untyped-decorator]  # Airflow gives it no type.
def on_starting(component: object) -> None:
    """A line for each finding that is not `ok`; a task starts without a word."""
    if type(component).__name__ != COMPONENT:
        return
    try:
        # Read for this alone: the DAG processor forks a process for each DAG file, which may set what it reads.
        settings = configured_settings()
        for finding in (*check_shared(settings), *check_configuration(settings)):
            if finding.standing is not Standing.OK:
                _log.warning("%s: %s %s (triptych doctor)", finding.about, finding.said, finding.remedy)
    except TriptychError as error:
        _log.error("%s", error)  # A sentence for operators: a traceback of ours tells them nothing.
