"""The output of a job: what its own list names, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from triptych.api.kept import stores
from triptych.errors import IntegrityError, SourceError, TriptychError, UnsupportedError
from triptych.jobs.plan import PlanRef, newest_plan, read_job, read_plan
from triptych.jobs.report import ChunkState, read_report
from triptych.jobs.workspace import Workspace, open_workspace, output_root
from triptych.settings import get_settings
from triptych.stages.publishing.names import allowed_name
from triptych.stages.publishing.records import newest_listing
from triptych.storage import Store
from triptych.storage.walls import is_temporary

REDIRECT_S = 300
"""How long the store's own link lasts that ours leads to: long enough to begin."""


@dataclass(frozen=True)
class OutputFile:
    """One file of an output, where it lies now; `etag` is that which the job gave it."""

    store: Store
    uri: str
    name: str
    size: int
    etag: str | None

    def check(self) -> None:
        """SourceError where another file has its name by now; ObjectNotFoundError where none has."""
        info = self.store.stat(self.uri)
        if info.size != self.size or (self.etag and info.etag != self.etag):
            msg = f"{self.name}: is not the file any more that the job made."
            raise SourceError(msg)

    def link(self) -> str | None:
        """A short link by the store itself; None where it signs none."""
        try:
            return self.store.signed_url(self.uri, "GET", REDIRECT_S)
        except UnsupportedError:
            return None

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        """So many of its bytes, of no other version than the job's."""
        return self.store.stream(self.uri, offset, length, self.etag)


def output_files(dag_id: str, run_id: str) -> Sequence[Mapping[str, Any]]:
    """`name` and `size` of each file of the run's newest output; none where there is none."""
    listing = newest_listing(workspace_of(dag_id, run_id))
    return listing["files"] if listing else []


def output_file(dag_id: str, run_id: str, ref: PlanRef, name: str) -> OutputFile | None:
    """The file of this name of the run's newest output; None when its list has none.

    `ref` is the plan that the run itself names. Where the output lies is the job's to say, which the plan vouches for:
    who can write to the workspace, and so put a list there, makes no link to another place by it. IntegrityError then.
    """
    workspace = workspace_of(dag_id, run_id)
    listing = newest_listing(workspace)
    found = next((file for file in listing["files"] if file["name"] == name), None) if listing else None
    if listing is None or found is None:
        return None
    destination = read_job(workspace, read_plan(workspace, ref)).spec.destination
    uri, settings = str(listing["uri"]), get_settings()
    if destination is None:
        store, own = stores().workspace(), output_root(settings, dag_id, run_id)
        is_own = uri == own or (is_temporary(uri, settings.workspace) and uri.endswith("/"))
    else:
        store = stores().open(uri, destination.conn_id, destination.service)
        is_own = uri == f"{destination.uri.rstrip('/')}/"
    if not is_own:
        msg = f"{uri}: the list of the output says that it lies here, which is not where the job puts it."
        raise IntegrityError(msg)
    return OutputFile(store, f"{uri}{quote(allowed_name(name))}", name, found["size"], found.get("etag"))


def chunk_count(dag_id: str, run_id: str) -> int:
    """Of the run's newest plan; 0 without one."""
    workspace = workspace_of(dag_id, run_id)
    try:
        ref = newest_plan(workspace)
        return read_plan(workspace, ref).chunks if ref else 0
    except TriptychError:
        return 0  # Removed by now, or of another version: the run is shown all the same.


def first_failure(dag_id: str, run_id: str) -> str:
    """Why the first failed chunk has no result; empty when none failed."""
    try:
        report = read_report(workspace_of(dag_id, run_id))
    except TriptychError:
        return ""
    failed = [chunk for chunk in report.chunks if chunk.state is ChunkState.FAILED] if report else []
    return f"Chunk {failed[0].entry.number} ({failed[0].entry.name}): {failed[0].reason}" if failed else ""


def workspace_of(dag_id: str, run_id: str) -> Workspace:
    """The job's, by the stores of this process."""
    return open_workspace(get_settings(), stores(), dag_id, run_id)
