"""`triptych clean`: what is beyond its age, and its removal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.progress import Progress

from triptych.cli.console import echo, errors, print_json, print_table
from triptych.cli.login import airflow_runs
from triptych.cli.place import NO_WORKSPACE, Place, placed
from triptych.cli.setup import AsJson, template_id
from triptych.errors import ConfigError, StorageError
from triptych.retention.planning import Finding, RetentionPlan, planned
from triptych.retention.removal import Failure, remove_all
from triptych.retention.running_runs import AirflowRuns
from triptych.settings import DAY_S, Settings
from triptych.storage import Stores

EPILOG = """Examples:

`triptych clean` (says what would go)

`triptych clean --yes`

`triptych clean --template wordcount --yes --json`

`triptych clean --airflow https://airflow.example.com --user ada --yes` (asks that Airflow which runs run)

`triptych clean --profile production --yes` (the same, in the workspace of the profile)
"""
COLUMNS = ["what", "bytes", "days", "where", "why"]


@placed
def clean(
    place: Place,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it. Without, nothing changes.")] = False,
    template: Annotated[
        list[str] | None, typer.Option("--template", "-t", help="Only runs of this template, or DAG; may be repeated.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    json_: AsJson = False,
) -> None:
    """Show what is beyond its age, in workspace, scratch and caches; with --yes, remove it. Never an output.

    Ages are the settings `keep_..._days`, and those of a run's template. A run that runs, and one of which nobody can
    tell, stays, and is listed with the reason: without its Airflow's word each run of an Airflow does.
    """
    if not place.has_workspace:
        raise ConfigError(NO_WORKSPACE)
    settings = place.settings
    asked = airflow_runs(place.client)
    stores = Stores(settings)
    plan = planned(settings, stores, asked, [template_id(settings, name) for name in template or ()])
    if not json_:
        _show(plan, is_dry_run=not yes)
    gone, failures = _removed(settings, stores, asked, plan, quiet=quiet) if yes else ([], [])
    if json_:
        print_json(_as_json(plan, gone, failures, is_dry_run=not yes))
    elif yes:
        echo(f"Removed {len(gone)}, {sum(finding.bytes for finding in gone):,} bytes.")
    if failures:
        raise StorageError("\n".join(f"{each.finding.where}: {each.error}" for each in failures))


def _removed(
    settings: Settings, stores: Stores, airflow: AirflowRuns, plan: RetentionPlan, *, quiet: bool
) -> tuple[list[Finding], list[Failure]]:
    """What went, and what could not, with a bar on a terminal meanwhile."""
    gone: list[Finding] = []
    with Progress(console=errors, transient=True, disable=quiet or not errors.is_terminal) as bar:
        task = bar.add_task("Removing", total=len(plan.removes))

        def tell(finding: Finding) -> None:
            gone.append(finding)
            bar.update(task, completed=len(gone))

        failures = remove_all(settings, stores, airflow, plan, tell)
    return gone, failures


def _show(plan: RetentionPlan, *, is_dry_run: bool) -> None:
    if plan.removes:
        print_table(COLUMNS, [_row(finding) for finding in plan.removes])
    for finding in plan.stays:
        echo(f"Stays: {finding.where}: {finding.why}.")
    size = f"{len(plan.removes)} beyond their age, {plan.bytes:,} bytes."
    echo(f"{size} Nothing was removed: --yes does that." if is_dry_run and plan.removes else size)


def _row(finding: Finding) -> list[str]:
    days = "-" if finding.age_s is None else f"{finding.age_s / DAY_S:.1f}"
    return [finding.what.value, f"{finding.bytes:,}", days, finding.where, finding.why]


def _as_json(
    plan: RetentionPlan, gone: Sequence[Finding], failures: Sequence[Failure], *, is_dry_run: bool
) -> dict[str, Any]:
    return {
        "dry_run": is_dry_run,
        "bytes": plan.bytes,
        "removes": [_about(finding) for finding in plan.removes],
        "stays": [_about(finding) for finding in plan.stays],
        "removed": [finding.where for finding in gone],
        "failures": [{"where": each.finding.where, "error": each.error} for each in failures],
    }


def _about(finding: Finding) -> dict[str, Any]:
    about = {"what": finding.what.value, "where": finding.where, "why": finding.why}
    return {**about, "bytes": finding.bytes, "age_s": finding.age_s}
