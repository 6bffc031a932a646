"""A job as the entry points of its stages take it: one DAG run of one template."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from triptych.blocks import Role, Template
from triptych.errors import IntegrityError
from triptych.jobs.frozen import check_code, load_frozen
from triptych.jobs.locations import Location
from triptych.jobs.sources import SourceEntry
from triptych.jobs.spec import JobSpec
from triptych.jobs.workspace import Workspace, open_workspace
from triptych.settings import Settings
from triptych.storage import Stores


@dataclass(frozen=True)
class Job:
    """What was asked for, and with what it is done. `sources` and `images` are empty until `partition` knows them."""

    settings: Settings
    template: Template
    spec: JobSpec
    dag_id: str
    run_id: str
    workspace: Workspace
    stores: Stores
    started: float = field(default_factory=time.time)
    """Seconds since the epoch when `partition` froze the job."""
    sources: tuple[SourceEntry, ...] = ()
    images: Mapping[Role, str | None] = field(default_factory=dict)
    """The digest of each role's image, as it was then."""

    @property
    def labels(self) -> dict[str, str]:
        """By which a container engine finds the job's containers."""
        return {"triptych.dag": self.dag_id, "triptych.run": self.run_id}

    @property
    def destination(self) -> Location:
        """Where the output goes, ending in `/`; inside the workspace when the job names none."""
        if self.spec.destination is None:
            return Location(f"{self.workspace.root}/output/", self.settings.workspace_conn_id)
        return Location(self.spec.destination.uri.rstrip("/") + "/", self.spec.destination.conn_id)


def new_job(settings: Settings, template: Template, spec: JobSpec, dag_id: str, run_id: str) -> Job:
    """The job of this run before its first stage; raises ConfigError when no workspace is configured."""
    stores = Stores(settings)
    workspace = open_workspace(settings, stores, dag_id, run_id)
    return Job(settings, template, spec, dag_id, run_id, workspace, stores)


def load_job(settings: Settings, template: Template, dag_id: str, run_id: str, stores: Stores | None = None) -> Job:
    """The job as `partition` froze it, for the later stages; IntegrityError when a block's code changed since.

    `stores` are those that this process has open for these settings already.
    """
    stores = stores or Stores(settings)
    workspace = open_workspace(settings, stores, dag_id, run_id)
    frozen = load_frozen(workspace)
    if frozen is None:
        msg = f"{workspace.job_uri}: not there. Clear the task `partition` to write it."
        raise IntegrityError(msg)
    check_code(frozen, template)
    return Job(
        settings,
        template,
        frozen.spec,
        dag_id,
        run_id,
        workspace,
        stores,
        started=frozen.started,
        sources=frozen.sources,
        images={role: block.digest for role, block in frozen.blocks.items()},
    )
