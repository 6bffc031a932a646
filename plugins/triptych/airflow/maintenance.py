"""The DAG `triptych_maintenance`: removes what is beyond its age, whenever the setting `maintenance_schedule` says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, Param, get_parsing_context

from triptych.airflow.operators import guarded
from triptych.airflow.unfinished import TaskRuns
from triptych.errors import StorageError
from triptych.retention.planning import Finding, planned
from triptych.retention.removal import remove_all
from triptych.settings import get_settings
from triptych.storage import Stores

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "triptych_maintenance"
DRY_RUN = "dry_run"


class MaintenanceOperator(BaseOperator):
    """Say what is beyond its age, and remove it; with the parameter `dry_run` only say it."""

    def execute(self, context: Context) -> dict[str, Any]:
        """How many things were removed, or would be, and their bytes, by XCom; fails when one could not be."""
        return guarded(lambda: self._maintain(context))

    def _maintain(self, context: Context) -> dict[str, Any]:
        settings = get_settings()
        stores, airflow = Stores(settings), TaskRuns(context["ti"].get_dr_count)
        plan = planned(settings, stores, airflow)
        for finding in plan.stays:
            self.log.warning("Stays: %s", said(finding))
        is_dry_run = bool(context["params"][DRY_RUN])
        if is_dry_run:
            for finding in plan.removes:
                self.log.info("Would go: %s", said(finding))
            return {"removed": 0, "beyond_age": len(plan.removes), "bytes": plan.bytes}
        gone: list[Finding] = []

        def tell(finding: Finding) -> None:
            gone.append(finding)
            self.log.info("Removed: %s", said(finding))

        failures = remove_all(settings, stores, airflow, plan, tell)
        if failures:
            reasons = "\n".join(f"{said(failure.finding)}: {failure.error}" for failure in failures)
            msg = f"{len(failures)} of {len(plan.removes)} could not be removed, the next run tries again:\n{reasons}"
            raise StorageError(msg)
        return {"removed": len(gone), "beyond_age": len(plan.removes), "bytes": sum(each.bytes for each in gone)}


def said(finding: Finding) -> str:
    """In one line: `run file:///w/d/r/ (1,024 bytes): it succeeded more than 7 days ago`."""
    return f"{finding.what} {finding.where} ({finding.bytes:,} bytes): {finding.why}"


def build_maintenance() -> dict[str, DAG]:
    """The DAG by its id; none while `maintenance_schedule` is empty, but for a task of it that runs already."""
    settings, parsing = get_settings(), get_parsing_context()
    if not settings.maintenance_schedule and parsing.task_id is None:
        return {}
    dag = DAG(
        dag_id=DAG_ID,
        description="Removes workspaces, temporary areas and uploads that are beyond their age; never an output.",
        schedule=settings.maintenance_schedule or None,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,  # Who set a schedule wants it to run.
        tags=["triptych"],
        params={DRY_RUN: Param(False, type="boolean", description="Only say what would be removed.")},
        default_args={"owner": "triptych", "retry_delay": timedelta(seconds=settings.retry_delay_s)},
    )
    MaintenanceOperator(task_id="clean", retries=settings.retries, dag=dag)
    return {DAG_ID: dag}
