"""Whether a draft can become a job: by the rules, and in the sentences, of the command, the form and `partition`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triptych.api.answers import ApiError
from triptych.api.callers import Caller
from triptych.api.inside import part
from triptych.api.threads import in_thread
from triptych.blocks import Template, read_catalog
from triptych.errors import ManifestError
from triptych.jobs.spec import build_job_spec
from triptych.settings import get_settings

TAG = "triptych"
"""Of each of our DAGs."""


async def find_dag(caller: Caller, template_id: str) -> dict[str, Any]:
    """The DAG of a template, as Airflow tells this user; ApiError when it is none of ours, or not for their eyes.

    `name@1.2` is the template `name`: a template has no versions here, its blocks have.
    """
    if not template_id:
        raise ApiError(400, "templateId: is missing. GET /v1/customer/jobs/templates lists them.")
    dag = await caller.airflow.get(f"dags/{part(template_id.partition('@')[0])}")
    if TAG not in [tag["name"] for tag in dag.get("tags", ())]:
        raise ApiError(404, f"{template_id}: is no template of Triptych.")
    return dag


def own_template(template_id: str) -> Template | None:
    """As it lies in the include folders of this API server; None where they do not have it, as with a DAG bundle's."""
    try:
        return read_catalog(get_settings().include, only=template_id).template(template_id)
    except ManifestError:
        return None


async def judge(template_id: str, conf: Mapping[str, Any], *, is_whole: bool) -> None:
    """JobSpecError with all that is wrong; of a draft that is not whole its source may be missing.

    Where the API server has not the template, Airflow judges the run by the form's fields, and `partition` the rest.
    """
    template = await in_thread(own_template, template_id)
    if template is None:
        return
    config = conf.get("config", {})
    if not is_whole and isinstance(config, Mapping):
        conf = {**conf, "config": {**config, "allowEmpty": True}}
    await in_thread(build_job_spec, template, conf, None, get_settings().allowed_connections)
