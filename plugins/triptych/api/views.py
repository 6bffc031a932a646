"""Jobs as clients see them, made of a draft or of Airflow's words for a run; int64 are texts, as protobuf has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from triptych.api.drafts import Draft
from triptych.blocks import Role, Template

NEW, QUEUED, PARTITIONING, RUNNING, COMPLETE, FAILED = (
    f"JOB_STATE_{word}" for word in ("NEW", "QUEUED", "PARTITIONING", "RUNNING", "COMPLETE", "FAILED")
)
ENDED = (COMPLETE, FAILED)
OF_RUNS = {"queued": QUEUED, "running": RUNNING, "success": COMPLETE, "failed": FAILED}
"""By Airflow's state of a run."""
ABORTED = "Aborted by "
"""How the last line of the note of a run begins that was stopped here."""
BETWEEN = "~"
"""Stands in a job's id between DAG and run, where the run was not started here: its id is no UUID of its own."""


def job_id(run: Mapping[str, Any]) -> str:
    """A run's id alone where that is a UUID, else with its DAG's: other ids of runs are told apart by these only."""
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    return run_id if is_uuid(run_id) else f"{dag_id}{BETWEEN}{run_id}"


def is_uuid(text: str) -> bool:
    """Whether this is how Python writes a UUID."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def of_draft(draft: Draft, template: Template | None, upload: Mapping[str, Any] | None) -> dict[str, Any]:
    """A job that was not run yet; `upload` are the parameters of a source that is to be uploaded."""
    conf = dict(draft.conf)
    if upload is not None:
        conf["dataSource"] = {"dataSourceDescriptor": "file", "params": dict(upload)}
    created = _zulu(draft.created.isoformat())
    return {
        **_job(draft.id, draft.template, template, conf),
        "name": draft.name or draft.template,
        "description": draft.description,
        "createdAt": created,
        "state": NEW,
        "stateTimestamps": {NEW: created},
    }


def of_run(
    run: Mapping[str, Any], state: str, template: Template | None, error: str = "", chunks: int = 0
) -> dict[str, Any]:
    """A job that is a run of Airflow's, as its API tells it."""
    conf = run.get("conf") or {}
    started, ended = _zulu(run.get("start_date")), _zulu(run.get("end_date"))
    queued = _zulu(run.get("queued_at") or run.get("run_after"))
    times = {QUEUED: queued, **({PARTITIONING: started} if started else {}), **({state: ended} if ended else {})}
    note = [line for line in (run.get("note") or "").splitlines() if not line.startswith(ABORTED)]
    return {
        **_job(job_id(run), run["dag_id"], template, conf),
        "name": str(conf.get("name") or run["dag_id"]),
        "description": "\n".join(note),
        "createdAt": queued,
        "submittedAt": queued,
        "startedAt": started,
        "endedAt": ended,
        "completedAt": ended,
        "duration": None if run.get("duration") is None else f"{run['duration']:.3f}s",
        "state": state,
        "stateTimestamps": times,
        "errorMessage": error,
        "numChunks": str(chunks),
    }


def template_info(template: Template | None, template_id: str) -> dict[str, Any]:
    """The template of a job, as answers have it beside the job."""
    tags = {role.value: block.tag for role, block in template.blocks.items()} if template else dict.fromkeys(Role, "")
    about = (template.description or template.app.description) if template else ""
    return {"id": template_id, "owner": "", "description": about, **{str(role): tag for role, tag in tags.items()}}


def aborted_note(run: Mapping[str, Any]) -> str:
    """Who stopped the run through this API; empty for any other."""
    lines = (run.get("note") or "").splitlines()
    return lines[-1] if lines and lines[-1].startswith(ABORTED) else ""


def page(rows: list[dict[str, Any]], total: int, offset: int) -> dict[str, Any]:
    """A part of a list, which begins at `offset`."""
    return {"pagination": pagination(total, offset, len(rows)), "data": rows}


def pagination(total: int, offset: int, count: int) -> dict[str, Any]:
    """Where the `count` rows from `offset` lie among all."""
    return {
        "total": str(total),
        "offset": str(offset),
        "hasPrevious": offset > 0,
        "hasNext": offset + count < total,
    }


def _job(identity: str, template_id: str, template: Template | None, conf: Mapping[str, Any]) -> dict[str, Any]:
    """Every key that a job may have, most of them not set."""
    unset = ("startAt", "submittedAt", "startedAt", "endedAt", "completedAt", "deletedAt", "duration")
    return {
        "id": identity,
        "templateId": template_id,
        "appId": template.app.tag if template else "",
        "config": conf.get("config"),
        "priority": "EXECUTION_PRIORITY_UNDEFINED",
        **dict.fromkeys(unset),
        "regions": {"whitelist": [], "blacklist": []},
        "dataSource": conf.get("dataSource", conf.get("data_source")),
        "dataDestination": conf.get("dataDestination", conf.get("data_destination")),
        "params": _params(conf),
        "paymentAmount": "0",
        "numUnitsEstimation": "0",
        "numChunks": "0",
        "errorMessage": "",
        "templateInfo": template_info(template, template_id),
    }


def _params(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Those of each role, with the form's flat fields under their names."""
    given = conf.get("params")
    nested = given if isinstance(given, Mapping) else {}
    return {role.value: {**_flat(conf.items(), role), **(nested.get(role.value) or {})} for role in Role}


def _flat(items: Iterable[tuple[str, Any]], role: Role) -> dict[str, Any]:
    start = f"{role}."
    return {key.removeprefix(start): value for key, value in items if key.startswith(start) and value is not None}


def _zulu(time: str | None) -> str | None:
    """ISO 8601 in UTC, with fractions and Z; None for no time."""
    if not time:
        return None
    return datetime.fromisoformat(time).astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
