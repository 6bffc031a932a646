"""`triptych job ...`: jobs on this machine, and with `--airflow URL` or `--profile NAME` those of an Airflow.

A command a module: each finds its job by `cli.place`, and prints by `cli.console`. What each of them says as JSON has
the same keys wherever the job is; what nobody there can tell is null.
"""

from __future__ import annotations

import typer

from triptych.cli.deferred import deferred

COMMANDS = {
    "list": "triptych.cli.jobs.listing:list_jobs",
    "show": "triptych.cli.jobs.showing:show",
    "watch": "triptych.cli.jobs.watching:watch",
    "logs": "triptych.cli.jobs.logs:logs",
    "open": "triptych.cli.jobs.opening:open_job",
    "report": "triptych.cli.jobs.reporting:report",
    "cancel": "triptych.cli.jobs.cancelling:cancel",
    "retry": "triptych.cli.jobs.retrying:retry",
    "rerun": "triptych.cli.jobs.rerun:rerun",
    "clean": "triptych.cli.upkeep.clean:clean",
}
"""In the order of the help."""
job_commands = typer.Typer(
    cls=deferred(COMMANDS),
    no_args_is_help=True,
    help="Jobs, here or on an Airflow: what became of them, their end, and how they go on.",
)
