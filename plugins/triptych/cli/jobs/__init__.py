"""`triptych job ...`: jobs on this machine, and with `--airflow URL` or `--profile NAME` those of an Airflow.

A command a module: each finds its job by `cli.place`, and prints by `cli.console`. What each of them says as JSON has
the same keys wherever the job is; what nobody there can tell is null.
"""

from __future__ import annotations

import typer

from triptych.cli.jobs import cancelling, listing, logs, opening, reporting, rerun, retrying, showing, watching
from triptych.cli.jobs.showing import told_use
from triptych.cli.place import OfTemplate, Run
from triptych.cli.upkeep import clean

__all__ = ["OfTemplate", "Run", "job_commands", "told_use"]

job_commands = typer.Typer(
    no_args_is_help=True, help="Jobs, here or on an Airflow: what became of them, their end, and how they go on."
)
job_commands.command("list", epilog=listing.EPILOG)(listing.list_jobs)
job_commands.command("show", epilog=showing.EPILOG)(showing.show)
job_commands.command("watch", epilog=watching.EPILOG)(watching.watch)
job_commands.command("logs", epilog=logs.EPILOG)(logs.logs)
job_commands.command("open", epilog=opening.EPILOG)(opening.open_job)
job_commands.command("report", epilog=reporting.EPILOG)(reporting.report)
job_commands.command("cancel", epilog=cancelling.EPILOG)(cancelling.cancel)
job_commands.command("retry", epilog=retrying.EPILOG)(retrying.retry)
job_commands.command("rerun", epilog=rerun.EPILOG)(rerun.rerun)
job_commands.command("clean", epilog=clean.EPILOG)(clean.clean)
