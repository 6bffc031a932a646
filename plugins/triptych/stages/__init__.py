"""The three stages of a job, a module each: `partition`, `run_pack`, `assemble`.

Each can run again: what is committed stays, only what is missing is done. They alone take a whole `Job`; what stands
beside them (`sources`, `chunk_list`, `results`, `destination`, `sessions`) takes a workspace, stores and limits.
"""

from enum import StrEnum


class Stage(StrEnum):
    """A stage, in order; the tasks of a job's DAG bear these ids."""

    PARTITION = "partition"
    APP = "app"
    ASSEMBLE = "assemble"


PLAN_KEY = "plan"
"""Of the XCom of `partition` by which the later stages know their plan; a repair writes it anew."""
