"""How jobs chain: a job's output is an asset of Airflow's, whose events say where it lies, and start other jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from triptych.stages import Stage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from triptych.stages.assemble import Outcome


def output_asset(dag_id: str) -> Asset:
    """The outputs of a template's jobs: its name is all that a schedule has to list."""
    return Asset(f"{dag_id}.output")


def tell_output(context: Context, outcome: Outcome) -> None:
    """Have the event of this run's output say where that is, and how much it holds."""
    asset = output_asset(context["dag_run"].dag_id)
    context["outlet_events"][asset].extra = {"uri": outcome.uri, "files": outcome.files, "bytes": outcome.bytes}


def upstreams(context: Context) -> list[dict[str, str]]:
    """The outputs that started this run, the oldest first, by the names that a template's text may use.

    Only what an `assemble` said counts: anybody who may create an event by Airflow's API could name any URI.
    """
    events = [event for events in context["triggering_asset_events"].values() for event in events]
    return [_named(event) for event in sorted(events, key=lambda event: event.timestamp) if _is_output(event)]


def _is_output(event: Any) -> bool:
    is_ours = event.source_task_id == Stage.ASSEMBLE and event.asset.name == output_asset(event.source_dag_id).name
    return is_ours and isinstance(event.extra.get("uri"), str)


def _named(event: Any) -> dict[str, str]:
    said: Mapping[str, Any] = event.extra
    return {
        "upstream.uri": str(said["uri"]),
        "upstream.dag_id": str(event.source_dag_id),
        "upstream.run_id": str(event.source_run_id),
    }
