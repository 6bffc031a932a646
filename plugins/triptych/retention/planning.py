"""What is beyond its age now, and what stays although it is: a plan that removes nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from triptych.errors import ConfigError, TriptychError
from triptych.jobs.cache_eviction import evict
from triptych.jobs.plan import newest_plan, read_job, read_plan
from triptych.jobs.temporary import expiry_of
from triptych.jobs.workspace import CACHE, Workspace, folder_name
from triptych.registry import open_registry
from triptych.retention.inventory import RunFolder, take_inventory
from triptych.retention.running_runs import AirflowRuns, held_back
from triptych.running.scratch import dead_attempts
from triptych.settings import DAY_S, Settings
from triptych.stages.publishing.records import Records
from triptych.stages.side_inputs.cache import INPUTS, InputCache
from triptych.storage import ObjectInfo, StagedObject, Stores
from triptych.storage.paths import file_uri

RECORD_DAYS = 365
"""For so long a repair of a run that was removed says so."""
EMPTIED_DAYS = 30
"""For so long `triptych job show` tells of a local job whose data was removed once it was done."""


class What(StrEnum):
    """What can be beyond its age."""

    RUN = "run"
    RECORD = "record"
    OUTPUT = "output"
    TEMPORARY = "temporary area"
    UPLOAD = "upload"
    PUBLISHED = "published content"
    SCRATCH = "scratch"
    RESULT_CACHE = "result cache"
    INPUT_CACHE = "input cache"


@dataclass(frozen=True)
class Finding:
    """One thing: where it lies, why it goes (or stays), its size, and how long ago it last changed, if that is known.

    `dag` and `run` are the folders of the run that it is, or belongs to.
    """

    what: What
    where: str
    why: str
    bytes: int
    age_s: float | None = None
    dag: str = ""
    run: str = ""
    upload: StagedObject | None = None
    content: ObjectInfo | None = None
    """Of the registry."""


@dataclass(frozen=True)
class RetentionPlan:
    """What goes, and what is beyond its age and stays all the same. `at` is when it was looked at."""

    at: float
    removes: Sequence[Finding]
    stays: Sequence[Finding]

    @property
    def bytes(self) -> int:
        """What the removal gives back."""
        return sum(finding.bytes for finding in self.removes)


def planned(
    settings: Settings, stores: Stores, airflow: AirflowRuns, dags: Sequence[str] = (), now: float | None = None
) -> RetentionPlan:
    """All that is beyond its age at `now`; of `dags` alone where they are named.

    In the workspace, in the registry, in the scratch folder and in the cache of this machine. Nothing changes.
    """
    at = time.time() if now is None else now
    only = {folder_name(dag) for dag in dags}
    found = _InWorkspace(settings, stores, airflow, at, only) if settings.workspace else None
    removes = [*found.removes()] if found else []
    stays = found.stays if found else []
    if not only:
        removes += _in_registry(settings, stores, at, stays)
        removes += _on_this_machine(settings, at)
    return RetentionPlan(at, removes, stays)


class _InWorkspace:
    """The part of a plan that lies in the workspace; `stays` is filled while `removes` is read."""

    def __init__(self, settings: Settings, stores: Stores, airflow: AirflowRuns, at: float, only: set[str]) -> None:
        self._settings, self._airflow, self._at, self._only = settings, airflow, at, only
        self._store = stores.workspace()
        self._all = take_inventory(self._store, settings.workspace)
        self.stays: list[Finding] = []

    def removes(self) -> Iterator[Finding]:
        yield from self._runs()
        yield from self._outputs()
        if not self._only:
            yield from self._temporary()
            yield from self._uploads()
            yield from self._kept_results()

    def _runs(self) -> Iterator[Finding]:
        old: dict[str, list[tuple[RunFolder, Finding]]] = defaultdict(list)
        for run in self._all.runs.values():
            if run.is_run and self._is_asked_for(run.dag) and (finding := self._judged(run)):
                old[run.dag].append((run, finding))
        for dag, candidates in old.items():
            yield from self._free(dag, candidates)

    def _free(self, dag: str, candidates: Iterable[tuple[RunFolder, Finding]]) -> Iterator[Finding]:
        """Those that nobody holds back."""
        wanted = list(candidates)
        back = held_back(self._settings, self._airflow, dag, [run.run for run, _ in wanted])
        for run, finding in wanted:
            reason = back.get(run.run) or (f"it holds {run.foreign}, none of Triptych's" if run.foreign else "")
            if reason:
                self.stays.append(_because(finding, reason))
            else:
                yield finding

    def _judged(self, run: RunFolder) -> Finding | None:
        """What is to be done with a run, if something is."""
        age_s = self._at - run.modified
        if run.is_removed and run.objects == 1:
            why = f"its data was removed more than {RECORD_DAYS} days ago"
            return self._finding(What.RECORD, run, why) if age_s > RECORD_DAYS * DAY_S else None
        if run.is_removed:
            return self._finding(What.RUN, run, "its removal was broken off")
        days, why = self._age_of(run)
        return self._finding(What.RUN, run, f"{why} more than {days} days ago") if age_s > days * DAY_S else None

    def _age_of(self, run: RunFolder) -> tuple[int, str]:
        """Days for which it is kept, and from when on."""
        if not run.has_code:
            return EMPTIED_DAYS, "it was done, and its data removed,"
        success, failure = self._own_days(run)
        if run.has_output:
            return success or self._settings.keep_success_days, "it succeeded"
        return failure or self._settings.keep_failure_days, "it ended without an output"

    def _own_days(self, run: RunFolder) -> tuple[int | None, int | None]:
        """As its template said when it was launched; a run that has no plan, or none of ours, says nothing."""
        if self._at - run.modified <= DAY_S:
            return None, None  # No age is less than a day: that need not be read.
        workspace = Workspace(self._store, run.uri.rstrip("/"))
        try:
            ref = newest_plan(workspace)
            if ref is None:
                return None, None
            spec = read_job(workspace, read_plan(workspace, ref)).spec
        except TriptychError:
            return None, None
        return spec.keep_success_days, spec.keep_failure_days

    def _outputs(self) -> Iterator[Finding]:
        days = self._settings.keep_outputs_days
        for (dag, run), folder in self._all.outputs.items():
            age_s = self._at - folder.modified
            if days is not None and self._is_asked_for(dag) and age_s > days * DAY_S:
                why = f"outputs are kept for {days} days"
                finding = Finding(What.OUTPUT, folder.uri, why, folder.bytes, age_s, dag, run)
                back = held_back(self._settings, self._airflow, dag, [run])
                if back:
                    self.stays.append(_because(finding, back[run]))
                else:
                    yield finding

    def _temporary(self) -> Iterator[Finding]:
        for name, folder in self._all.temporary.items():
            expires = expiry_of(name)
            if expires and expires.timestamp() < self._at:
                why = f"it expired at {expires:%Y-%m-%d %H:%M:%S} UTC"
                yield Finding(What.TEMPORARY, folder.uri, why, folder.bytes, self._at - folder.modified)

    def _uploads(self) -> Iterator[Finding]:
        """Those that nobody can complete any more: long begun, and no output waits for them."""
        if not self._store.discards:
            return  # The store ends them by itself.
        days = self._settings.keep_uploads_days
        needed: Mapping[str, set[str]] | None = None
        for upload in self._store.waiting(f"{self._settings.workspace}/"):
            age_s = self._at - upload.begun if upload.begun else 0.0
            if age_s <= days * DAY_S:
                continue
            if needed is None:
                needed = self._needed()
            why = f"it was begun more than {days} days ago and not completed"
            finding = Finding(What.UPLOAD, upload.uri, why, upload.size, age_s, upload=upload)
            owners = [label for label, handles in needed.items() if upload.handle in handles]
            if owners:
                self.stays.append(_because(finding, f"the output of {owners[0]} waits for it"))
            else:
                yield finding

    def _kept_results(self) -> Iterator[Finding]:
        evicted = evict(self._store, self._settings, dry_run=True, now=self._at)
        if evicted.objects:
            why = f"{len(evicted.objects)} objects of kept results are beyond `result_cache_days` or `result_cache_gib`"
            yield Finding(What.RESULT_CACHE, f"{self._settings.workspace}/{CACHE}/", why, evicted.bytes)

    def _needed(self) -> Mapping[str, set[str]]:
        """By run, the uploads that its decided output waits for: whoever goes on with it completes them."""
        needed: dict[str, set[str]] = {}
        for run in self._all.runs.values():
            if run.makings and not run.has_output:
                makings = Records(self._store, run.uri.rstrip("/")).makings()
                staged = [file.staged.handle for making in makings for file in making.files if file.staged]
                needed[f"{run.dag}/{run.run}"] = set(staged)
        return needed

    def _finding(self, what: What, run: RunFolder, why: str) -> Finding:
        return Finding(what, run.uri, why, run.bytes, self._at - run.modified, run.dag, run.run)

    def _is_asked_for(self, dag: str) -> bool:
        return not self._only or dag in self._only


def _in_registry(settings: Settings, stores: Stores, at: float, stays: list[Finding]) -> Iterator[Finding]:
    """What nobody publishes any more; nothing, and the reason among what stays, where that cannot be told."""
    if not settings.registry:
        return
    days = settings.keep_published_days
    why = f"no tag has meant it for {days} days, and it is not active"
    try:
        for info in open_registry(settings, stores).unnamed():
            age_s = at - info.modified if info.modified is not None else 0.0
            if age_s > days * DAY_S:
                yield Finding(What.PUBLISHED, info.uri, why, info.size, age_s, content=info)
    except TriptychError as error:  # As where this machine does not reach it.
        reason = str(error)
        why = f"contents that no tag means, but {reason[:1].lower()}{reason[1:]}"
        stays.append(Finding(What.PUBLISHED, settings.registry, why, 0))


def _on_this_machine(settings: Settings, at: float) -> Iterator[Finding]:
    for folder in dead_attempts(settings.scratch):
        with suppress(FileNotFoundError):  # Another attempt removes such folders, too.
            size = sum(path.lstat().st_size for path in folder.rglob("*"))
            age_s = at - folder.stat().st_mtime
            yield Finding(What.SCRATCH, f"{file_uri(folder)}/", "its process has ended", size, age_s)
    inputs = settings.cache / INPUTS
    with suppress(ConfigError):  # Another user's cache, which is for that user to clean.
        evicted = InputCache(settings).evict(is_dry_run=True) if inputs.exists() else None
        if evicted and evicted.removed:
            why = f"{evicted.removed} side input(s) are beyond `input_cache_days` or `input_cache_gib`"
            yield Finding(What.INPUT_CACHE, f"{file_uri(inputs)}/", why, evicted.removed_bytes)


def _because(finding: Finding, reason: str) -> Finding:
    """The same, which stays."""
    return replace(finding, why=f"{finding.why}, but {reason}")
