"""The removal of what a plan says, one thing after the other, so that a crash leaves nothing that is not recognised.

A run's `removed.json` comes first and stays: a repair reads it, and a removal that was broken off is ended by it. Then
go its plans, without which no stage begins. Airflow is asked once more: of a run that has begun meanwhile they are put
back. Else what its attempts staged in a destination goes, and all that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

from triptych.errors import StorageError, TriptychError
from triptych.jobs.cache_eviction import evict
from triptych.jobs.locations import Location
from triptych.jobs.plan import newest_plan, read_job, read_plan
from triptych.jobs.removed import REMOVED, Removed, put_removed, read_removed, unmark
from triptych.jobs.workspace import Workspace
from triptych.registry import open_registry
from triptych.retention.planning import Finding, RetentionPlan, What
from triptych.retention.run_lock import forget, held_run, is_held
from triptych.retention.running_runs import AirflowRuns, is_unfinished
from triptych.running.scratch import remove_dead
from triptych.settings import Settings
from triptych.stages.publishing.cleaning import clean_up
from triptych.stages.publishing.records import Records
from triptych.stages.side_inputs.cache import InputCache
from triptych.storage import OBJECTS_AT_ONCE, Store, Stores

BATCH = 1000
"""Objects of one listing that are removed before it goes on."""
_ROUNDING_S = 0.001
"""An age is a difference of two times."""


@dataclass(frozen=True)
class Failure:
    """What could not be removed now, and why; the next time tries it again."""

    finding: Finding
    error: str


def remove_all(
    settings: Settings,
    stores: Stores,
    airflow: AirflowRuns,
    plan: RetentionPlan,
    on_removed: Callable[[Finding], None] = lambda finding: None,
) -> list[Failure]:
    """Remove all of `plan.removes`; what changed since it was looked at, or runs by now, stays, without a word.

    One that cannot be removed keeps none of the others.
    """
    remover = _Remover(settings, stores, airflow, plan)
    failures: list[Failure] = []
    for finding in plan.removes:
        try:
            if remover.remove(finding):
                on_removed(finding)
        except TriptychError as error:
            failures.append(Failure(finding, str(error)))
    return failures


class _Remover:
    def __init__(self, settings: Settings, stores: Stores, airflow: AirflowRuns, plan: RetentionPlan) -> None:
        self._settings, self._stores, self._airflow, self._plan = settings, stores, airflow, plan

    def remove(self, finding: Finding) -> bool:
        """Whether it is gone by our doing."""
        if finding.what is What.SCRATCH:
            remove_dead(self._settings.scratch)
            return True
        if finding.what is What.INPUT_CACHE:
            return InputCache(self._settings).evict().removed > 0
        if finding.content:
            return open_registry(self._settings, self._stores).drop(finding.content)
        store = self._stores.workspace()
        if finding.what is What.RESULT_CACHE:
            return bool(evict(store, self._settings).objects)
        if finding.upload:
            store.discard(finding.upload)
            return True
        with self._ours(finding):
            if self._is_in_use(store, finding):
                return False
            if finding.what is What.RUN:
                return self._remove_run(store, finding)
            _delete_all(store, finding.where)
            if finding.what is What.RECORD:
                forget(self._settings, finding.dag, finding.run)
        return True

    def _ours(self, finding: Finding) -> AbstractContextManager[None]:
        """A run of this machine's is locked meanwhile; UnfinishedRunError when it is in use."""
        if finding.run and is_held(self._settings, finding.dag, finding.run) is not None:
            return held_run(self._settings, finding.dag, finding.run)
        return nullcontext()

    def _is_in_use(self, store: Store, finding: Finding) -> bool:
        """Whether it changed since the plan was made, or Airflow runs it by now."""
        last = self._plan.at - (finding.age_s or 0.0) + _ROUNDING_S
        if any((info.modified or 0.0) > last for info in store.list(finding.where)):
            return True
        return bool(finding.run) and is_unfinished(self._airflow, finding.dag, finding.run)

    def _remove_run(self, store: Store, finding: Finding) -> bool:
        """Whether it is gone; a run that began meanwhile is as it was."""
        workspace = Workspace(store, finding.where.rstrip("/"))
        removed = read_removed(workspace)
        if removed is None:
            removed = Removed(self._plan.at, finding.why, _destination(workspace))
            put_removed(workspace, removed)
            if not self._is_shut(workspace, finding):
                return False
        _delete_all(store, f"{finding.where}plans/")
        is_clean = self._drop_staged(workspace, removed)
        for upload in store.waiting(finding.where) if store.discards else ():
            store.discard(upload)
        kept = (REMOVED,) if is_clean else (REMOVED, "staging/")
        _delete_all(store, finding.where, tuple(workspace.uri(name) for name in kept))
        if not is_clean:
            where = removed.destination.uri if removed.destination else finding.where
            msg = f"{where}: not all that attempts staged there could be removed; the next time tries it again."
            raise StorageError(msg)
        return True

    def _is_shut(self, workspace: Workspace, finding: Finding) -> bool:
        """Whether nobody is in a run whose plans were taken away just now; else they, and all else, are as before.

        Airflow calls a run running before its first task starts: of those that began while the plans were there it
        tells now, and those that begin later find none.
        """
        plans = {uri: workspace.store.read(uri) for uri in map(workspace.uri, workspace.names("plans/"))}
        _delete_all(workspace.store, f"{finding.where}plans/")
        is_shut = False
        try:
            is_shut = not is_unfinished(self._airflow, finding.dag, finding.run)
        finally:
            if not is_shut:
                for uri, data in plans.items():
                    workspace.store.put(uri, data)
                unmark(workspace)
        return is_shut

    def _drop_staged(self, workspace: Workspace, removed: Removed) -> bool:
        """Whether nothing is left of what dead attempts staged in the destination's store, and said in records."""
        records = Records(workspace.store, workspace.root)
        names = records.staging_names()
        if not names:
            return True
        to = removed.destination
        store = self._stores.open(to.uri, to.conn_id) if to else workspace.store
        clean_up(records, store, names, ())
        return not records.staging_names()


def _destination(workspace: Workspace) -> Location | None:
    """Where the run's output was to go; None for the workspace, and when nothing tells any more."""
    try:
        ref = newest_plan(workspace)
        return read_job(workspace, read_plan(workspace, ref)).spec.destination if ref else None
    except TriptychError:
        return None


def _delete_all(store: Store, prefix: str, kept: tuple[str, ...] = ()) -> None:
    """Every object below the prefix but those whose URIs begin with one of `kept`; then folders that are empty."""
    uris = (info.uri for info in store.list(prefix) if not unquote(info.uri).startswith(tuple(map(unquote, kept))))
    with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
        while batch := list(islice(uris, BATCH)):
            list(pool.map(store.delete, batch))
    store.prune(prefix)
