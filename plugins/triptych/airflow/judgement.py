"""All that a template's DAG has to pass, in the order in which it is cheap: what it does not is told, and its alone.

The DAG processor, `partition` and `triptych validate` take the same steps; the first keeps what it found (`verdicts`).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from airflow.sdk import DAG, Asset, Param

from triptych.blocks import Diagnostic, Template
from triptych.blocks.check import check_template
from triptych.blocks.placement import unplaced
from triptych.jobs.template_check import check_locations
from triptych.settings import get_settings

MOST_DESCRIPTION = 1000
"""Characters that Airflow's database holds of a cron, told in words."""


def judged(template: Template, build: Callable[[Template], DAG]) -> tuple[DAG | None, list[Diagnostic]]:
    """The DAG, or what is wrong: with the template, with its schedule, or with what Airflow would make of it."""
    classes = get_settings().classes
    found = [*check_template(template), *check_locations(template), *unplaced(template, classes)]
    if found:
        return None, found
    if reason := _schedule_reason(template):
        return None, [Diagnostic(template.path, "$.schedule", reason)]
    try:
        dag = build(template)
        check_storable(dag)
    except Exception as error:  # What a user's files make Airflow raise, of any class, hides no other DAG.
        return None, [Diagnostic(template.path, "$", f"Airflow cannot make a DAG of it: {_text(error)}")]
    return dag, []


def check_storable(dag: DAG) -> None:
    """Raises what Airflow would, later: its DAG processor, its database, its scheduler, and whoever launches a run."""
    import msgspec
    from airflow.serialization.serialized_objects import DagSerialization

    dag.validate()
    dag.check_cycle()
    for name in dag.params:
        _check_field(name, dag.params.get_param(name))
    data = DagSerialization.to_dict(dag)
    # PostgreSQL's JSON refuses what Python's writer lets through: NaN and infinity.
    json.dumps(data, allow_nan=False)
    msgspec.msgpack.encode(data)  # As the DAG processor's child hands it on.
    DagSerialization.from_dict(data)


def _check_field(name: str, param: Param) -> None:
    """As whoever launches a run would; Airflow's own way, which judges the field's schema each time, only where needed.

    ValueError where the field refuses its own default.
    """
    import jsonschema_rs
    from jsonschema import Draft202012Validator, FormatChecker

    judge = Draft202012Validator(param.schema, format_checker=FormatChecker())
    if jsonschema_rs.meta.is_valid(param.schema) and judge.is_valid(param.value):
        return
    try:
        param.resolve()
    except ValueError as error:
        msg = f"the form's field {name} refuses its own default: {_text(error)}"
        raise ValueError(msg) from error


def schedule_of(template: Template) -> str | list[Asset] | None:
    """Cron or preset as it is; a list of URIs becomes assets, which launch the job when all are updated.

    With `on_new_files` it is the asset of the template's own new files.
    """
    if template.on_new_files is not None:
        from triptych.airflow.watching import watched

        return [watched(template)]
    if isinstance(template.schedule, list):
        return [Asset(uri) for uri in template.schedule]
    schedule: str | None = template.schedule
    return schedule


def _schedule_reason(template: Template) -> str:
    """What is wrong with a cron, a preset or a list of assets, as the end of a sentence; empty when it is sound."""
    from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
    from airflow.timetables.base import TimeRestriction

    if template.schedule is None:
        return ""
    try:
        dag = DAG("schedule", schedule=schedule_of(template), catchup=False)
        dag.validate()
        timetable = LazyDeserializedDAG(data=DagSerialization.to_dict(dag)).timetable
        if len(timetable.description or "") > MOST_DESCRIPTION:
            return f"takes more than {MOST_DESCRIPTION:,} characters in words: Airflow cannot store it."
        timetable.next_dagrun_info(last_automated_data_interval=None, restriction=TimeRestriction(None, None, False))
    except Exception as error:  # croniter's and Airflow's, of many classes.
        known = "It is a cron of five fields (`0 6 * * *`), a preset (@daily), or a list of asset URIs"
        return f"is {json.dumps(template.schedule)[:200]}, and Airflow says: {_text(error)}. {known}."
    return ""


def _text(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:500].rstrip(".")
