"""The three stages of a job."""

from enum import StrEnum


class Stage(StrEnum):
    """A stage, in order; the tasks of a job's DAG bear these ids."""

    PARTITION = "partition"
    APP = "app"
    ASSEMBLE = "assemble"
