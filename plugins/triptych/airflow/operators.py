"""The three tasks of a DAG: thin shells that give the stages a job, Airflow's log and Airflow's errors.

Each imports its own stage when it runs: the DAG processor, at each parse, needs none, and no task needs the others'.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)

from triptych.airflow.chaining import tell_output, upstreams
from triptych.airflow.links import ConsoleLink, ReportLink
from triptych.airflow.watching import NOTHING_NEW, is_of_new_files, new_sources
from triptych.blocks import Template
from triptych.blocks.run_names import DATES
from triptych.errors import IntegrityError, MissingImageError, TriptychError, VerdictError, VersionError
from triptych.harmless import harmless_logger
from triptych.jobs.packs import Pack
from triptych.settings import Settings, get_settings
from triptych.stages import PLAN_KEY, Stage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from triptych.jobs.job import PlannedJob

T = TypeVar("T")
LEFT_TO_OTHERS_S = 3600.0
"""So long a task goes back into the queue where workers of another version than its plan's take it: no try of it."""
_log = harmless_logger(__name__)


class _EndsAtOnce:
    """Airflow calls `on_kill` from a signal's handler and kills the process five seconds later."""

    def on_kill(self) -> None:
        """Leave `execute` now: the stage's own clean-up then removes container and scratch folder."""
        raise KeyboardInterrupt


class PartitionOperator(_EndsAtOnce, BaseOperator):
    """Validate the job spec, cut the source into chunks, return the packs.

    `find` reads the template as it is now: a ManifestError says why it cannot be used.
    """

    def __init__(self, *, template_id: str, find: Callable[[str], Template], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.template_id = template_id
        self.find = find

    def execute(self, context: Context) -> list[Pack]:
        """The packs, by XCom: the mapped list of the next task. What cannot succeed is not tried again."""
        return guarded(lambda: self._partition(context), context)

    def _partition(self, context: Context) -> list[Pack]:
        from triptych.jobs.job import new_job
        from triptych.jobs.spec import build_job_spec
        from triptych.stages.partition import partition

        settings, template = get_settings(), self.find(self.template_id)
        dates = {name: str(context[name]) for name in DATES if context.get(name) is not None}
        run = context["dag_run"]
        # `params` holds the form's defaults too; what was not given must not override the template.
        given = _given(context["params"], run.conf or {})
        spec = build_job_spec(template, given, dates, settings.allowed_connections, upstreams(context))
        if template.on_new_files is not None and is_of_new_files(context):
            spec = replace(spec, sources=new_sources(settings, template, run.run_id, run.run_after.timestamp()))
            if not spec.sources:
                context["ti"].xcom_push(NOTHING_NEW, True)
                msg = "Nothing is new: the files that started this run are another run's already, or gone."
                raise AirflowSkipException(msg)
        job = new_job(settings, template, spec, run.dag_id, run.run_id, _began(context))
        done = partition(job, _slots(template, settings))
        context["ti"].xcom_push(PLAN_KEY, str(done.ref))
        return done.plan.tasks()


class AppOperator(_EndsAtOnce, DockerOperator):
    """Run the app on one pack of chunks, in one container, under our own rules for its whole life.

    A DockerOperator, so that Airflow's users find image, connection and limits where they know them. Its own way to run
    a container (one command, the log as XCom, nothing committed) is not used. No field is rendered: what a caller
    writes is data.
    """

    template_fields = ()

    def __init__(self, *, pack: Pack, image: str, **kwargs: Any) -> None:
        super().__init__(image=image or "none", mount_tmp_dir=False, auto_remove="force", **kwargs)
        self.pack = pack

    def execute(self, context: Context) -> None:
        """Run what of the pack has no result yet; the error of a chunk that failed comes when all have been tried."""
        guarded(lambda: self._run(context), context)

    def _run(self, context: Context) -> None:
        from triptych.airflow.metrics import count_chunk
        from triptych.stages.run_pack import Launch, run_pack

        # Every clear of an instance that has ended raises `max_tries`: its chunks have all their tries again.
        launch = Launch(str(context["ti"].max_tries), context["ti"].try_number, _worker(context))
        job = _loaded(context)
        ran = run_pack(job, self.pack["first"], launch, partial(count_chunk, job.dag_id))
        self.log.info("%d chunk(s) done.", ran)


class AssembleOperator(_EndsAtOnce, BaseOperator):
    """Judge the failures, join the results; fails when more chunks failed than the job tolerates."""

    operator_extra_links = (ReportLink(), ConsoleLink())

    def execute(self, context: Context) -> dict[str, Any]:
        """Where the output is, how much it holds and of how many chunks it was made, by XCom."""
        return guarded(lambda: self._assemble(context), context)

    def _assemble(self, context: Context) -> dict[str, Any]:
        from triptych.reports import leaving_report
        from triptych.stages.assemble import assemble

        if context["ti"].xcom_pull(task_ids=Stage.PARTITION.value, key=NOTHING_NEW):
            msg = "There was nothing new to do."
            raise AirflowSkipException(msg)
        try:
            job = _loaded(context)
            with leaving_report(job):
                outcome = assemble(job)
        except VerdictError as error:
            msg = (
                f"{error}\nClear the failed `{Stage.APP}` tasks and `{Stage.ASSEMBLE}`: only these chunks run again. "
                "Where none of them failed, a backup was restored, and `triptych job retry RUN --new-code keep` finds "
                "what it lacks."
            )
            raise AirflowFailException(msg) from error
        tell_output(context, outcome)
        return {
            "uri": outcome.uri,
            "files": outcome.files,
            "bytes": outcome.bytes,
            "chunks": outcome.chunks,
            "failed": len(outcome.failed),
        }


class BrokenOperator(BaseOperator):
    """The task `partition` of a broken block's DAG: says what is wrong."""

    def __init__(self, *, reasons: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reasons = list(reasons)

    def execute(self, context: Context) -> list[Pack]:
        """Fail with every reason, one a line; no retry would help."""
        raise AirflowFailException("\n".join(self.reasons))


def _loaded(context: Context) -> PlannedJob:
    """The job by the plan that `partition` said: no include folder is read."""
    from triptych.jobs.job import load_job
    from triptych.jobs.plan import PlanRef

    run = context["dag_run"]
    said = context["ti"].xcom_pull(task_ids=Stage.PARTITION.value, key=PLAN_KEY)
    if said is None:
        msg = f"The task `{Stage.PARTITION}` of this run made no plan: its log says why. Clear it once that is mended."
        raise IntegrityError(msg)
    return load_job(get_settings(), run.dag_id, run.run_id, PlanRef.parse(str(said)), _began(context))


def _slots(template: Template, settings: Settings) -> int:
    """How many tasks of the app Airflow runs at once, as far as its configuration tells: no task can read a pool."""
    cores_each = template.app.task_cores
    limits = [conf.getint("core", "parallelism"), conf.getint("core", "max_active_tasks_per_dag")]
    if settings.one_machine:
        limits.append(int((os.cpu_count() or 1) // cores_each))
    if template.max_cores:
        limits.append(int(template.max_cores // cores_each))
    return max(1, min((limit for limit in limits if limit > 0), default=1))


def _began(context: Context) -> float | None:
    """When the run was launched, or cleared after its end: Airflow sets its start anew then."""
    start = context["dag_run"].start_date
    return start.timestamp() if start else None


def _given(params: Mapping[str, Any], conf: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's conf; Airflow has checked each value against the form's fields already."""
    return {key: params.get(key, value) for key, value in conf.items()}


def _worker(context: Context) -> str:
    """This machine, by the name that Airflow shows of the task."""
    return str(context["ti"].hostname or socket.gethostname())


def guarded(work: Callable[[], T], context: Context | None = None) -> T:
    """What the work gives; permanent errors of ours end the task without a retry.

    Where there are many machines, the log and such an error name the one that it is, by the task's `context`. An image
    that is missing here may be on another: that ends this try alone. A job of another version is left to the others.
    """
    settings = get_settings()
    worker = _worker(context) if context and not settings.one_machine else ""
    if worker:
        _log.info("Worker: %s", worker)
    try:
        return work()
    except TriptychError as error:
        if context and worker and isinstance(error, VersionError):
            _leave_to_others(error, context, max(settings.retry_delay_s, 1))
        if error.retryable:
            raise
        msg = f"{error}\nWorker: {worker}" if worker else str(error)
        if worker and isinstance(error, MissingImageError):
            raise AirflowException(msg) from error
        raise AirflowFailException(msg) from error


def _leave_to_others(error: VersionError, context: Context, delay_s: int) -> None:
    """Have a worker of the right version take the task, as long as one may come; a worker that refuses is soon free
    again, and would use up all tries of a job in flight while workers are upgraded one after the other."""
    if context["task_reschedule_count"] * delay_s >= LEFT_TO_OTHERS_S:
        return
    _log.warning("%s\nThe task is left to another worker: in %d s it is queued again, which is no try.", error, delay_s)
    raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=delay_s)) from error
