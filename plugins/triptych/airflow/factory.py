"""One DAG per template: reads JSON and imports no provider; in a task process it reads nothing at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from airflow.sdk import DAG, Asset, get_parsing_context

from triptych.airflow.form import form_params
from triptych.airflow.verdicts import Verdicts, check_storable
from triptych.blocks import Block, Diagnostic, Role, Template, read_catalog
from triptych.errors import ManifestError
from triptych.schemas.properties import properties, type_text
from triptych.settings import get_settings
from triptych.stages import Stage

VERDICTS = "storable.json"
"""In the folder `cache`: see `Verdicts`."""
_TAG_LETTERS = 100
"""What Airflow's database holds of a tag."""


def build_dags() -> dict[str, DAG]:
    """Every template's DAG by id; in a task process the three tasks of the one that it runs, for which nothing is read.

    Only Airflow's task runner names a task; `airflow dags test` names a DAG, and stores what it then finds.
    """
    parsing = get_parsing_context()
    if parsing.dag_id and parsing.task_id:
        return {parsing.dag_id: bare_dag(parsing.dag_id)}
    settings = get_settings()
    catalog = read_catalog(settings.include, only=parsing.dag_id)
    verdicts = Verdicts(settings.cache / VERDICTS, settings)
    dags: dict[str, DAG] = {}
    broken = dict(catalog.broken)
    for template in catalog.templates:
        if parsing.dag_id in (None, template.id):
            try:
                dag = build_dag(template)
                verdicts.check(template, dag)
            except Exception as error:  # What a user's schema or schedule makes Airflow raise hides no other DAG.
                broken[template.id] = (_refusal(template, error),)
            else:
                dags[template.id] = dag
    if parsing.dag_id is None:
        verdicts.save()
    for dag_id, reasons in broken.items():
        if parsing.dag_id in (None, dag_id):
            dags[dag_id] = _broken(dag_id, reasons)
    return dags


def find_template(template_id: str) -> Template:
    """The template of a DAG as it lies in the include folders now, for the task `partition`.

    ManifestError with all reasons when it cannot be used, also when it is only Airflow that refuses it.
    """
    template = read_catalog(get_settings().include, only=template_id).template(template_id)
    try:
        check_storable(build_dag(template))
    except Exception as error:
        raise ManifestError(str(_refusal(template, error))) from error
    return template


def build_dag(template: Template) -> DAG:
    """`partition` -> `app` (mapped over packs) -> `assemble`, with all that the scheduler and the form show of them."""
    settings = get_settings()
    app = template.app
    dag = DAG(
        dag_id=template.id,
        description=template.description or app.description,
        doc_md=_doc(template),
        schedule=_schedule(template.schedule),
        catchup=False,
        tags=["triptych", *(f"{role}:{block.tag}"[:_TAG_LETTERS] for role, block in template.blocks.items())],
        default_args={"owner": "triptych", "retry_delay": timedelta(seconds=settings.retry_delay_s)},
    )
    container = {
        "image": app.image or "",
        "docker_conn_id": app.docker_conn_id,
        "cpus": app.min_cpu or 1.0,
        "mem_limit": f"{app.min_memory_gib}g" if app.min_memory_gib else None,
        "pool": settings.pool,
        "pool_slots": max(1, round(app.min_cpu or 1)),
    }
    _add_tasks(dag, settings.retries if app.retries is None else app.retries, container)
    # Once the tasks are there: each would copy and store them for itself, too.
    dag.params = form_params(template)
    return dag


def bare_dag(dag_id: str) -> DAG:
    """The DAG as a task process needs it: its id says everything.

    What Airflow's task runner takes from it is the same as in `build_dag`; retries, pool, slots and trigger rule come
    from the stored DAG. So a job goes on whatever becomes of its template, and its workers need no include folder.
    """
    dag = DAG(dag_id=dag_id, schedule=None)
    _add_tasks(dag)
    return dag


def _broken(dag_id: str, diagnostics: Sequence[Diagnostic]) -> DAG:
    """A DAG that stands for what cannot be used, so that the UI shows it and its reasons, and runs in flight go on.

    Not an import error: Airflow 3.3 counts one against every DAG of the same file and then refuses to run them.
    """
    settings = get_settings()
    reasons = [str(diagnostic) for diagnostic in diagnostics]
    dag = DAG(
        dag_id=dag_id,
        description=reasons[0],
        doc_md="### This cannot be used\n\n" + "\n".join(f"- {reason}" for reason in reasons),
        schedule=None,
        tags=["triptych", "broken"],
        default_args={"owner": "triptych", "retry_delay": timedelta(seconds=settings.retry_delay_s)},
    )
    _add_tasks(dag, settings.retries, {"pool": settings.pool}, reasons)
    return dag


def _add_tasks(
    dag: DAG, retries: int = 0, app: Mapping[str, Any] = MappingProxyType({}), reasons: Sequence[str] = ()
) -> None:
    """The three tasks; with `reasons`, `partition` says them and fails."""
    from triptych.airflow.operators import AppOperator, AssembleOperator, BrokenOperator, PartitionOperator

    with dag:
        first = {"task_id": Stage.PARTITION.value, "retries": retries}
        cut = (
            BrokenOperator(**first, reasons=reasons)
            if reasons
            else PartitionOperator(**first, template_id=dag.dag_id, find=find_template)
        )
        run = AppOperator.partial(
            **{"image": "", **app},
            task_id=Stage.APP.value,
            retries=retries,
            map_index_template="chunks {{ task.pack['first'] }}..{{ task.pack['first'] + task.pack['count'] - 1 }}",
        ).expand(pack=cut.output)
        join = AssembleOperator(
            task_id=Stage.ASSEMBLE.value,
            retries=retries,
            trigger_rule="all_done",
            outlets=[Asset(f"{dag.dag_id}.output")],
        )
        run >> join
        cut >> join


def _refusal(template: Template, error: Exception) -> Diagnostic:
    return Diagnostic(template.path, "$", f"Airflow cannot make a DAG of it: {error}")


def _schedule(schedule: str | list[str] | None) -> str | list[Asset] | None:
    """Cron or preset as it is; a list of URIs becomes assets, any of which launches the job when all are updated."""
    if isinstance(schedule, list):
        return [Asset(uri) for uri in schedule]
    return schedule


def _doc(template: Template) -> str:
    parts = [f"### {template.id}", template.description or template.app.description]
    rows = ["| role | block | platform |", "| --- | --- | --- |"]
    rows += [_block_row(role, block) for role, block in template.blocks.items()]
    table = ["| parameter | type | default | description |", "| --- | --- | --- | --- |"]
    for role, block in template.blocks.items():
        for key, schema in properties(block.schema).items():
            default = template.params.get(role, {}).get(key, schema.get("default"))
            about = str(schema.get("description", schema.get("title", ""))).replace("|", "\\|")
            table.append(f"| `{role}.{key}` | {type_text(schema)} | `{json.dumps(default)}` | {about} |")
    partitioner, assembler = template.blocks[Role.PARTITIONER], template.blocks[Role.ASSEMBLER]
    plan = (
        f"`{partitioner.tag}` cuts the source into chunks; `{template.app.tag}` runs once per chunk; "
        f"`{assembler.tag}` joins the results."
    )
    return "\n\n".join([*parts, plan, "\n".join(rows), "\n".join(table)])


def _block_row(role: Role, block: Block) -> str:
    return f"| {role} | `{block.tag}` | {block.image or block.platform} |"
