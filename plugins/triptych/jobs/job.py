"""A job as every stage sees it: spec, blocks, sources and workspace of one DAG run."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

from triptych.blocks import Block, Role, Template, code_digest
from triptych.errors import ConfigError, IntegrityError, ObjectNotFoundError, SourceError
from triptych.jobs.spec import JobSpec, Location
from triptych.jobs.workspace import Workspace
from triptych.settings import Settings
from triptych.storage import Store, Stores


@dataclass(frozen=True)
class SourceEntry:
    """One resolved source object, pinned to a version."""

    uri: str
    conn_id: str | None
    size: int
    etag: str


@dataclass(frozen=True)
class Job:
    """One DAG run of one template."""

    settings: Settings
    template: Template
    spec: JobSpec
    dag_id: str
    run_id: str
    workspace: Workspace
    stores: Stores
    started: float = field(default_factory=time.time)
    """Seconds since the epoch when `partition` froze the job."""
    images: Mapping[Role, str | None] = field(default_factory=dict)
    """The digest of each role's image, as it was then."""

    @property
    def root(self) -> str:
        return self.workspace.root

    @property
    def labels(self) -> dict[str, str]:
        return {"triptych.dag": self.dag_id, "triptych.run": self.run_id}

    @property
    def destination(self) -> Location:
        """Where the output goes, ending in `/`; inside the workspace when the job names none."""
        if self.spec.destination is None:
            return Location(f"{self.root}/output/", self.settings.workspace_conn_id)
        return Location(self.spec.destination.uri.rstrip("/") + "/", self.spec.destination.conn_id)

    def store(self, location: Location) -> Store:
        return self.stores.open(location.uri, location.conn_id)


def open_job(settings: Settings, template: Template, spec: JobSpec, dag_id: str, run_id: str) -> Job:
    """The job of this run; raises ConfigError when no workspace is configured."""
    if not settings.workspace:
        msg = (
            "No workspace is configured. Set AIRFLOW__TRIPTYCH__WORKSPACE to a URI that every worker can reach, "
            "e.g. s3://bucket/triptych or file:///shared/triptych."
        )
        raise ConfigError(msg)
    root = f"{settings.workspace}/{quote(dag_id)}/{quote(run_id, safe='')}"
    stores = Stores(settings)
    store = stores.open(root, settings.workspace_conn_id)
    return Job(settings, template, spec, dag_id, run_id, Workspace(store, root), stores)


def freeze(job: Job, sources: list[SourceEntry]) -> None:
    """Write job.json: what this run was asked to do, with which code and which images."""
    blocks = {
        role: {"tag": block.tag, "sha256": code_digest(block), "image": block.image, "digest": job.images.get(role)}
        for role, block in job.template.blocks.items()
    }
    data = {
        "spec": job.spec.to_json(),
        "started": job.started,
        "blocks": blocks,
        "sources": [asdict(item) for item in sources],
    }
    job.workspace.put_json(job.workspace.job_uri, data)


def thaw(settings: Settings, template: Template, dag_id: str, run_id: str) -> Job:
    """The job as `partition` froze it, for the later stages; IntegrityError when a block's code changed since."""
    probe = open_job(settings, template, _EMPTY, dag_id, run_id)
    data = probe.workspace.read_json(probe.workspace.job_uri)
    if data is None:
        msg = f"{probe.workspace.job_uri}: not there. Clear the task `partition` to write it."
        raise IntegrityError(msg)
    for role, block in template.blocks.items():
        _check_code(role, block, data["blocks"][role])
    images = {Role(role): block["digest"] for role, block in data["blocks"].items()}
    return replace(probe, spec=JobSpec.from_json(data["spec"]), started=data["started"], images=images)


_EMPTY = JobSpec("", "", (), None, {}, {})


def _check_code(role: Role, block: Block, frozen: dict[str, Any]) -> None:
    if block.tag != frozen["tag"] or code_digest(block) != frozen["sha256"]:
        msg = (
            f"The {role} was {frozen['tag']} when this job started and is now {block.tag} with other code "
            f"({block.folder}). Launch a new job, or put the old code back and clear the failed tasks."
        )
        raise IntegrityError(msg)


def frozen_sources(job: Job) -> list[SourceEntry]:
    """The sources as job.json pins them."""
    data = job.workspace.read_json(job.workspace.job_uri) or {"sources": []}
    return [SourceEntry(**item) for item in data["sources"]]


def resolve_sources(job: Job) -> list[SourceEntry]:
    """Every object that the job's sources name, in order given, each prefix or glob in order of decoded URI.

    Raises SourceError when a source names nothing.
    """
    return [entry for location in job.spec.sources for entry in sorted(_resolve(job, location), key=_decoded)]


def _resolve(job: Job, location: Location) -> list[SourceEntry]:
    found = [SourceEntry(info.uri, location.conn_id, info.size, info.etag) for info in _infos(job, location)]
    if not found:
        kind = "glob" if _is_glob(location.uri) else "folder"
        msg = f"dataSource {location.uri}: the {kind} holds no file. Check the URI and its connection."
        raise SourceError(msg)
    return found


def _decoded(entry: SourceEntry) -> bytes:
    return unquote_to_bytes(entry.uri)


def _infos(job: Job, location: Location) -> Iterator[Any]:
    store = job.store(location)
    if _is_glob(location.uri):
        prefix = location.uri[: min(location.uri.find(c) for c in "*?[" if c in location.uri)]
        pattern = unquote(location.uri)
        # As in a shell, `*` stays inside one folder; the depth must be equal.
        yield from (
            info
            for info in store.list(prefix)
            if fnmatch.fnmatchcase(unquote(info.uri), pattern) and info.uri.count("/") == pattern.count("/")
        )
    elif location.uri.endswith("/"):
        yield from (info for info in store.list(location.uri) if not info.uri.endswith("/"))
    else:
        try:
            yield store.stat(location.uri)
        except ObjectNotFoundError:
            msg = (
                f"dataSource {location.uri}: there is no such object. "
                "A folder must end in '/'; check the name and the connection."
            )
            raise SourceError(msg) from None


def _is_glob(uri: str) -> bool:
    return any(character in uri for character in "*?[")
