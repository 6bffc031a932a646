"""One DAG per template: reads JSON and imports no provider; in a task process it reads nothing at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from triptych.airflow.chaining import output_asset
from triptych.airflow.form import form_params
from triptych.airflow.judgement import judged, schedule_of
from triptych.airflow.notices import callback
from triptych.airflow.verdicts import Verdicts
from triptych.blocks import Block, Diagnostic, Role, Template, read_catalog
from triptych.blocks.networks import network_of
from triptych.blocks.placement import pool_of, queues, slots_per_task
from triptych.errors import ManifestError
from triptych.schemas.properties import properties, type_text
from triptych.settings import get_settings
from triptych.stages import Stage

VERDICTS = "storable.json"
"""In the folder `cache`: see `Verdicts`."""
BESIDE = "include"
"""The folder beside a DAG file that holds blocks of its own: so a DAG bundle brings them along."""
Find = Callable[[str], Template]
"""Reads a template by its id as it is now, for the task `partition`; ManifestError when it cannot be used."""
_TAG_LETTERS = 100
"""What Airflow's database holds of a tag."""
_NAME_LETTERS, _REASON_LETTERS, _MOST_REASONS = 250, 1000, 50
"""Of a broken DAG: what lists show of its name, and what is kept of each reason."""


def build_dags(dag_file: str | None = None) -> dict[str, DAG]:
    """Every template's DAG by id; in a task process the three tasks of the one that it runs, for which nothing is read.

    Blocks are those of the configured include folders, and of the folder `include` beside `dag_file` (its `__file__`).
    Only Airflow's task runner names a task; `airflow dags test` names a DAG, and stores what it then finds.
    """
    parsing = get_parsing_context()
    include = _include(dag_file)
    find = partial(find_template, include=include)
    if parsing.dag_id and parsing.task_id:
        return {parsing.dag_id: bare_dag(parsing.dag_id, find)}
    catalog = read_catalog(include, only=parsing.dag_id)
    return dags_of(catalog.templates, catalog.broken, parsing.dag_id, find)


def dags_of(
    templates: Sequence[Template], broken: Mapping[str, Sequence[Diagnostic]], only: str | None, find: Find
) -> dict[str, DAG]:
    """Their DAGs by id, and those that stand for what is broken; with `only`, the one of this id alone."""
    settings = get_settings()
    verdicts = Verdicts(settings.cache / VERDICTS, settings)
    dags: dict[str, DAG] = {}
    refused: dict[str, Sequence[Diagnostic]] = dict(broken)
    try:
        for template in templates:
            if only in (None, template.id):
                dag, found = _from_verdict(template, find, verdicts)
                if dag:
                    dags[template.id] = dag
                else:
                    refused[template.id] = found
    finally:  # Also when Airflow's time for the file is over: the next parse goes on from here.
        if only is None:
            verdicts.save()
    for dag_id, reasons in refused.items():
        if only in (None, dag_id):
            dags[dag_id] = broken_dag(dag_id, reasons)
    return dags


def find_template(template_id: str, include: Sequence[Path] = ()) -> Template:
    """The template of a DAG as it lies in these include folders now, for the task `partition`.

    ManifestError with all reasons when it cannot be used, also when it is only Airflow that refuses it.
    """
    return sound(read_catalog(include or get_settings().include, only=template_id).template(template_id))


def sound(template: Template) -> Template:
    """The template; ManifestError with all reasons when Airflow, or anything else, would refuse it."""
    _, found = judged(template, build_dag)
    if found:
        raise ManifestError([str(each) for each in found])
    return template


def _include(dag_file: str | None) -> tuple[Path, ...]:
    configured = get_settings().include
    beside = Path(dag_file).absolute().parent / BESIDE if dag_file else None
    is_new = beside is not None and beside not in configured and beside.is_dir()
    return (*configured, beside) if beside and is_new else configured


def _from_verdict(template: Template, find: Find, verdicts: Verdicts) -> tuple[DAG | None, Sequence[Diagnostic]]:
    """The DAG, or what is wrong with it: found out now, or in a parse before this."""

    def build(template: Template) -> DAG:
        return build_dag(template, find)

    known = verdicts.known(template)
    if known:
        return None, known
    if known == []:
        # A sound one is made again, and judged again should it now fail.
        with suppress(Exception):
            return build(template), []
    dag, found = judged(template, build)
    verdicts.keep(template, found)
    return dag, found


def build_dag(template: Template, find: Find = find_template) -> DAG:
    """`partition` -> `app` (mapped over packs) -> `assemble`, with all that the scheduler and the form show of them."""
    settings = get_settings()
    for block in template.blocks.values():
        network_of(block, settings)
    app = template.app
    dag = DAG(
        dag_id=template.id,
        description=template.description or app.description,
        doc_md=_doc(template),
        schedule=schedule_of(template),
        catchup=False,
        tags=["triptych", *(f"{role}:{block.tag}"[:_TAG_LETTERS] for role, block in template.blocks.items())]
        + [tag for tag in template.tags if tag != "triptych"],
        on_success_callback=callback(template.on_success, has_succeeded=True),
        on_failure_callback=callback(template.on_failure, has_succeeded=False),
        **({"max_active_runs": template.max_active_runs} if template.max_active_runs else {}),
        default_args={"owner": template.owner, "retry_delay": timedelta(seconds=settings.retry_delay_s)},
    )
    container: dict[str, Any] = {
        "image": app.image or "",
        "docker_conn_id": app.docker_conn_id,
        "cpus": app.min_cpu or 1.0,
        "mem_limit": f"{app.min_memory_gib}g" if app.min_memory_gib else None,
        "pool": pool_of(template, settings.classes, settings.pool),
        "pool_slots": slots_per_task(app, settings.classes),
    }
    if template.max_cores:
        if template.max_cores < app.task_cores:
            msg = f"max_cores is {template.max_cores:g}, and one task of {app.tag} takes {app.task_cores:g}."
            raise ManifestError([msg])
        container["max_active_tis_per_dag"] = int(template.max_cores // app.task_cores)
    retries = settings.retries if app.retries is None else app.retries
    _add_tasks(dag, find, retries, container, queues(template, settings.classes))
    # Once the tasks are there: each would copy and store them for itself, too.
    dag.params = form_params(template)
    return dag


def bare_dag(dag_id: str, find: Find = find_template) -> DAG:
    """The DAG as a task process needs it: its id says everything.

    What Airflow's task runner takes from it is the same as in `build_dag`; retries, pool, slots and trigger rule come
    from the stored DAG. So a job goes on whatever becomes of its template, and its workers need no include folder.
    """
    dag = DAG(dag_id=dag_id, schedule=None)
    _add_tasks(dag, find)
    return dag


def broken_dag(dag_id: str, diagnostics: Sequence[Diagnostic]) -> DAG:
    """A DAG that stands for what cannot be used, so that the UI shows it and its reasons, and runs in flight go on.

    Not an import error: Airflow 3.3 counts one against every DAG of the same file and then refuses to run them.
    """
    settings = get_settings()
    first = diagnostics[0]
    reasons = [_plain_line(str(diagnostic))[:_REASON_LETTERS] for diagnostic in diagnostics[:_MOST_REASONS]]
    if len(diagnostics) > _MOST_REASONS:
        reasons.append(f"{len(diagnostics) - _MOST_REASONS} more: `triptych validate` tells them all.")
    shown = _plain_line(f"{dag_id}: {first.path.name}: {first.location}: {first.message}")
    dag = DAG(
        dag_id=dag_id,
        dag_display_name=shown if len(shown) <= _NAME_LETTERS else f"{shown[: _NAME_LETTERS - 3]}...",
        description=reasons[0],
        # As code: words of a file are no Markdown.
        doc_md="### This cannot be used\n\n```text\n" + "\n".join(reasons) + "\n```",
        schedule=None,
        tags=["triptych", "broken"],
        default_args={"owner": "triptych", "retry_delay": timedelta(seconds=settings.retry_delay_s)},
    )
    _add_tasks(dag, find_template, settings.retries, {"pool": settings.pool}, reasons=reasons)
    return dag


def _plain_line(text: str) -> str:
    """In one line, without what steers a terminal, begins HTML or ends a block of code, or no database keeps."""
    return "".join("'" if each == "`" else each if each.isprintable() and each not in "<>" else "?" for each in text)


def _add_tasks(
    dag: DAG,
    find: Find,
    retries: int = 0,
    app: Mapping[str, Any] = MappingProxyType({}),
    queues: Mapping[Role, str] = MappingProxyType({}),
    reasons: Sequence[str] = (),
) -> None:
    """The three tasks; with `reasons`, `partition` says them and fails."""
    from triptych.airflow.operators import AppOperator, AssembleOperator, BrokenOperator, PartitionOperator

    queue = {role: {"queue": queues[role]} if role in queues else {} for role in Role}
    with dag:
        first = {"task_id": Stage.PARTITION.value, "retries": retries, **queue[Role.PARTITIONER]}
        cut = (
            BrokenOperator(**first, reasons=reasons)
            if reasons
            else PartitionOperator(**first, template_id=dag.dag_id, find=find)
        )
        run = AppOperator.partial(
            **{"image": "", **app, **queue[Role.APP]},
            task_id=Stage.APP.value,
            retries=retries,
            map_index_template="chunks {{ task.pack['first'] }}..{{ task.pack['first'] + task.pack['count'] - 1 }}",
        ).expand(pack=cut.output)
        join = AssembleOperator(
            task_id=Stage.ASSEMBLE.value,
            retries=retries,
            trigger_rule="all_done",
            outlets=[output_asset(dag.dag_id)],
            **queue[Role.ASSEMBLER],
        )
        run >> join
        cut >> join


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
