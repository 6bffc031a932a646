"""A job as the entry points of its stages take it: one DAG run of one template."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from triptych.blocks import Block, Role, Template
from triptych.errors import TimeLimitError
from triptych.jobs.locations import Location
from triptych.jobs.plan import Plan, PlanRef, check_package, planned, read_job, read_plan
from triptych.jobs.sources import SourceEntry
from triptych.jobs.spec import JobSpec
from triptych.jobs.uploads import with_uploads
from triptych.jobs.workspace import Workspace, make_workspace, open_workspace, output_root
from triptych.settings import Settings
from triptych.storage import Store, Stores


@dataclass(frozen=True)
class Job:
    """What was asked for, and with what it is done. `began` is when it was launched or repaired, since the epoch."""

    settings: Settings
    spec: JobSpec
    dag_id: str
    run_id: str
    workspace: Workspace
    stores: Stores
    began: float

    @property
    def labels(self) -> dict[str, str]:
        """By which a container engine finds the job's containers."""
        return {"triptych.dag": self.dag_id, "triptych.run": self.run_id}

    @property
    def deadline(self) -> float:
        """Seconds since the epoch at which what runs is stopped, and after which nothing is begun."""
        return self.began + float(self.spec.config["jobTimeout"])

    @property
    def destination(self) -> Location:
        """Where the output goes, ending in `/`; beside the jobs of the workspace when the job names none."""
        if self.spec.destination is None:
            return Location(output_root(self.settings, self.dag_id, self.run_id), self.settings.workspace_conn_id)
        return replace(self.spec.destination, uri=self.spec.destination.uri.rstrip("/") + "/")

    @property
    def destination_store(self) -> Store:
        """The store of the destination: what a job did not name lies in the workspace, where none may name anything."""
        if self.spec.destination is None:
            return self.stores.workspace()
        return self.stores.open(self.destination.uri, self.destination.conn_id, self.destination.service)


@dataclass(frozen=True)
class NewJob(Job):
    """A job before its first stage, with the blocks as they lie in the include folders now."""

    blocks: Mapping[Role, Block]


@dataclass(frozen=True)
class PlannedJob(Job):
    """A job as its plan has it, for the stages after `partition`: these need no include folder."""

    ref: PlanRef
    plan: Plan
    sources: tuple[SourceEntry, ...]
    """In the order by which the ranges of chunks number them."""

    def tries_of(self, app: Block) -> int:
        """How often a chunk is run in one round before its failure is final."""
        asked = self.spec.config.get("maxTaskRetries")
        return 1 + next(n for n in (asked, app.retries, self.settings.retries) if n is not None)


def check_time(job: Job) -> None:
    """TimeLimitError when the job has no time left."""
    if time.time() >= job.deadline:
        raise time_is_over(job)


def time_is_over(job: Job) -> TimeLimitError:
    """The error of a job that has no time left."""
    limit = job.spec.config["jobTimeout"]
    return TimeLimitError(
        f"The job ran longer than its jobTimeout of {limit} s, counted from its launch or repair: what ran was "
        "stopped. A repair goes on from there."
    )


def new_job(
    settings: Settings, template: Template, spec: JobSpec, dag_id: str, run_id: str, began: float | None = None
) -> NewJob:
    """The job of this run before its first stage, whose workspace is there now.

    ConfigError when none is configured, StorageAccessError when its folder cannot be made, JobSpecError for an upload
    that is gone.
    """
    spec = with_uploads(spec, settings)
    stores = Stores(settings)
    make_workspace(settings)
    workspace = open_workspace(settings, stores, dag_id, run_id)
    return NewJob(settings, spec, dag_id, run_id, workspace, stores, began or time.time(), template.blocks)


def load_job(
    settings: Settings,
    dag_id: str,
    run_id: str,
    ref: PlanRef | None = None,
    began: float | None = None,
    stores: Stores | None = None,
) -> PlannedJob:
    """The job by its plan; the newest, when `ref` does not say which. `stores` are those that are open already.

    IntegrityError when there is no plan, or one that differs from `ref`; VersionError when it is of another version.
    """
    stores = stores or Stores(settings)
    workspace = open_workspace(settings, stores, dag_id, run_id)
    ref = ref or planned(workspace)
    plan = read_plan(workspace, ref)
    check_package(plan)
    frozen = read_job(workspace, plan)
    return PlannedJob(
        settings, frozen.spec, dag_id, run_id, workspace, stores, began or time.time(), ref, plan, frozen.sources
    )
