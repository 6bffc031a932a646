"""Whether a run still runs: by its lock where the command launched it, by Airflow's word for all others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from triptych.errors import TriptychError
from triptych.retention.run_lock import is_held
from triptych.settings import Settings
from triptych.storage.walls import workspace_folder

IT_RUNS = "it runs"
"""Why a run stays of which that is known."""
_LOCAL = re.compile(r"local-\d{8}T\d{6}-[0-9a-f]{4}")
"""As `triptych run` names its runs."""


class CannotTellError(TriptychError):
    """Nobody can tell whether runs of a DAG run; the message says why."""


class AirflowRuns(Protocol):
    """An Airflow that can be asked."""

    def unfinished(self, dag: str, runs: Sequence[str]) -> set[str]:
        """Which of these runs of the DAG are queued or running, by their folders; or CannotTellError."""


class NoAirflow:
    """None to ask."""

    def unfinished(self, dag: str, runs: Sequence[str]) -> set[str]:
        """CannotTellError."""
        msg = "only Airflow knows whether it runs: the DAG `triptych_maintenance`, or `--airflow URL`, asks it"
        raise CannotTellError(msg)


def held_back(settings: Settings, airflow: AirflowRuns, dag: str, runs: Sequence[str]) -> Mapping[str, str]:
    """Of these runs of one DAG those that must stay, by their folders, each with the reason.

    A caller of Airflow chooses a run's id: one that looks like the command's is asked for there, too.
    """
    local = [run for run in runs if _LOCAL.fullmatch(run)]
    back = {run: reason for run in local if (reason := _lock_says(settings, dag, run))}
    try:
        return {**back, **dict.fromkeys(airflow.unfinished(dag, runs), IT_RUNS)}
    except CannotTellError as error:
        return {**back, **{run: str(error) for run in runs if run not in local}}


def is_unfinished(airflow: AirflowRuns, dag: str, run: str) -> bool:
    """Whether Airflow says that it runs, or cannot tell of one of its own; of the command's runs the lock tells."""
    try:
        return run in airflow.unfinished(dag, [run])
    except CannotTellError:
        return not _LOCAL.fullmatch(run)


def _lock_says(settings: Settings, dag: str, run: str) -> str:
    """Why a run of the command's stays; empty when it may go. Who shares the folder of a workspace sees each lock."""
    state = is_held(settings, dag, run)
    if state is None and not workspace_folder(settings):
        return "only the machine that launched it knows whether it runs: `triptych clean` there"
    return IT_RUNS if state else ""
