"""Links beside a task in Airflow's UI: constants of the operator, each an address and no right to what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk.bases.operatorlink import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

_CONSOLE = "dags/{dag}/runs/{run}/plugin/triptych-job"
"""The console's view of a run, among Airflow's own of it; without a slash, too."""
_REPORT = "triptych/v1/customer/jobs/{job}/report"
"""Of the Jobs API. It begins with no slash: Airflow's pages have a base, which a proxy may have given a prefix."""


class ReportLink(BaseOperatorLink):
    """The report that the job left, through the API server, which asks Airflow whether this user may read it.

    A signed link to the object would be a right by itself, and every link of a task lies in an XCom.
    """

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address by the run's ids; whether a report was left is for whoever follows it to see."""
        return _REPORT.format(job=quote(f"{ti_key.dag_id}~{ti_key.run_id}", safe="~"))


class ConsoleLink(BaseOperatorLink):
    """The job's page in the console, where its chunks and files are looked at, and it is repaired."""

    name = "Console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address by the run's ids."""
        return _CONSOLE.format(dag=quote(ti_key.dag_id, safe=""), run=quote(ti_key.run_id, safe=""))
