"""One DAG per template: reads JSON, imports no provider, and builds only the DAG that a task process needs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, get_parsing_context

from triptych.airflow.form import form_params
from triptych.blocks import Block, Diagnostic, Role, Template, read_catalog
from triptych.schemas.properties import properties, type_text
from triptych.settings import get_settings
from triptych.stages import Stage


def build_dags() -> dict[str, DAG]:
    """Every template's DAG by id; in a task process just the one that it runs."""
    wanted = get_parsing_context().dag_id
    catalog = read_catalog(get_settings().include, only=wanted)
    dags: dict[str, DAG] = {}
    errors = list(catalog.errors)
    for template in catalog.templates:
        if wanted in (None, template.id):
            try:
                dags[template.id] = build_dag(template)
            except Exception as error:  # What a user's schema or schedule makes Airflow raise hides no other DAG.
                errors.append(Diagnostic(template.path, "$", f"Airflow cannot make a DAG of it: {error}"))
    for path, found in _by_path(errors).items():
        broken = _broken(path, found)
        dags.setdefault(broken.dag_id, broken)
    return dags


def build_dag(template: Template) -> DAG:
    """`partition` -> `app` (mapped over packs) -> `assemble`."""
    from triptych.airflow.operators import AppOperator, AssembleOperator, PartitionOperator

    settings = get_settings()
    app = template.app
    retries = settings.retries if app.retries is None else app.retries
    with DAG(
        dag_id=template.id,
        description=template.description or app.description,
        doc_md=_doc(template),
        schedule=_schedule(template.schedule),
        catchup=False,
        tags=["triptych", *(f"{role}:{block.tag}" for role, block in template.blocks.items())],
        params=form_params(template),
        default_args={"owner": "triptych", "retry_delay": timedelta(seconds=settings.retry_delay_s)},
        render_template_as_native_obj=False,
    ) as dag:
        cut = PartitionOperator(task_id=Stage.PARTITION.value, template_id=template.id, retries=retries)
        run = AppOperator.partial(
            task_id=Stage.APP.value,
            image=app.image or "",
            docker_conn_id=app.docker_conn_id,
            cpus=app.min_cpu or 1.0,
            mem_limit=f"{app.min_memory_gib}g" if app.min_memory_gib else None,
            retries=retries,
            pool=settings.pool,
            pool_slots=max(1, round(app.min_cpu or 1)),
            map_index_template="chunks {{ task.pack['first'] }}..{{ task.pack['first'] + task.pack['count'] - 1 }}",
        ).expand(pack=cut.output)
        join = AssembleOperator(task_id=Stage.ASSEMBLE.value, retries=retries, trigger_rule="all_done")
        run >> join
        cut >> join
    return dag


def _by_path(errors: Sequence[Diagnostic]) -> dict[Path, list[Diagnostic]]:
    grouped: dict[Path, list[Diagnostic]] = {}
    for error in errors:
        grouped.setdefault(error.path, []).append(error)
    return grouped


def _broken(path: Path, errors: Sequence[Diagnostic]) -> DAG:
    """A DAG that stands for a file that cannot be used, so that the UI shows it and its reasons.

    Not an import error: Airflow 3.3 counts one against every DAG of the same file and then refuses to run them.
    """
    from triptych.airflow.operators import BrokenOperator

    reasons = [str(error) for error in errors]
    name = re.sub(r"[^\w.-]", "_", path.parent.name)
    dag = DAG(
        dag_id=f"broken.{name}.{path.stem}",
        description=reasons[0],
        doc_md="### This cannot be used\n\n" + "\n".join(f"- {reason}" for reason in reasons),
        schedule=None,
        tags=["triptych", "broken"],
    )
    BrokenOperator(task_id="broken", reasons=reasons, dag=dag)
    return dag


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
