"""Loads the tasks' modules before LocalExecutor forks the processes that fork the tasks.

A listener (`on_starting`): the scheduler calls it before its executor starts. A task then has its code from the first
moment, in memory that it shares with the scheduler, and all of it of one version, whatever is installed meanwhile.
Other executors start their workers elsewhere; there each task loads what it needs.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
from collections.abc import Sequence

from airflow.listeners import hookimpl

from triptych.airflow.checkup.at_start import COMPONENT
from triptych.errors import TriptychError
from triptych.harmless import harmless_logger
from triptych.settings import Runner, Settings, get_settings
from triptych.storage.places import split_uri

SCHEDULER = "airflow.jobs.scheduler_job_runner"
"""What only the scheduler has loaded; a component does not know yet, when it starts, which it is."""
TASKS = (
    "triptych.airflow.factory",
    "triptych.airflow.operators",
    "triptych.airflow.metrics",
    "triptych.stages.partition",
    "triptych.stages.run_pack",
    "triptych.stages.assemble",
    "triptych.reports",
    "triptych.storage.files",
)
"""What the three operators, and the DAG file before them, load. No engine: their libraries start threads."""
OF_A_RUNNER = {Runner.DOCKER: ("triptych.running.docker",), Runner.PROCESS: ("triptych.running.process",)}
OF_A_WORKSPACE = {"s3": ("triptych.storage.s3", "airflow.providers.amazon.aws.hooks.s3")}
"""By its scheme. Google's and Azure's clients have threads, which no fork takes along."""
_log = harmless_logger(__name__)


@hookimpl  # type: ignore[untyped-decorator]  # Airflow gives it no type.
def on_starting(component: object) -> None:
    """Load them in a scheduler whose tasks are forked from it; a module that cannot be had is its tasks' affair."""
    if type(component).__name__ != COMPONENT or SCHEDULER not in sys.modules:
        return
    if multiprocessing.get_start_method() != "fork":
        return
    try:
        settings = get_settings()
        if settings.one_machine:
            load(wanted(settings))
    except TriptychError as error:
        _log.debug("Nothing is loaded beforehand: %s", error)
    finally:
        get_settings.cache_clear()  # A task reads its own.


def wanted(settings: Settings) -> tuple[str, ...]:
    """The modules of tasks with these settings."""
    scheme = split_uri(settings.workspace).scheme
    return (*TASKS, *OF_A_RUNNER[settings.runner], *OF_A_WORKSPACE.get(scheme, ()))


def load(names: Sequence[str]) -> None:
    """Import them; what is not installed is left out."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            _log.debug("%s is not loaded beforehand: %s", name, error)
