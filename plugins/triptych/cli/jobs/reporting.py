"""`triptych job report`: a job's report from its records, at any time, also while it runs."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import echo, print_line, print_stream, results_only
from triptych.cli.place import OfTemplate, Place, Run, placed
from triptych.errors import ConfigError
from triptych.jobs.removed import check_not_removed
from triptych.jobs.workspace import Workspace, folder_name
from triptych.reports import Prices, Report, files_of, measure
from triptych.settings import Settings

EPILOG = "Example: triptych job report local-20261124T093000-1f9a --to report --price-core-hour 0.04"
FOLDER = "triptych-report"
"""Of reports in the working folder, one folder for each run, where no other is named."""
HTML = "report.html"


@placed
def report(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    to: Annotated[
        Path | None, typer.Option(help=f"Folder for report.html and report.json. Default: {FOLDER}/RUN.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    price_core_hour: Annotated[float | None, typer.Option(min=0, help="Price of one core for an hour.")] = None,
    price_gib_hour: Annotated[float | None, typer.Option(min=0, help="Price of one GiB of memory for an hour.")] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print report.json; no file is written, unless --to names a folder.")
    ] = False,
) -> None:
    """What a job came to, as one page: timeline, durations, failures, memory, core-hours. It need not have ended."""
    with results_only():
        workspace = place.workspace(place.dag_of(run, template), run)
        files = files_of(_made(workspace, _prices(place.settings, price_core_hour, price_gib_hour)))
    if json_:
        print_stream([files["report.json"], b"\n"])
    if json_ and to is None:
        return
    folder = to or Path(FOLDER, folder_name(run))
    _write(folder, files)
    if not json_:
        print_line(str(folder / HTML))
    if open_ and not webbrowser.open((folder / HTML).absolute().as_uri()):
        echo("No browser was found to show it.")


def _made(workspace: Workspace, prices: Prices) -> Report:
    made = measure(workspace, prices)
    if made is None:
        check_not_removed(workspace)
        msg = (
            f"{workspace.root}: holds no plan: no such run, or its `partition` did not come to its end; of such a job "
            "there is nothing to report but what the log of `partition` says."
        )
        raise ConfigError(msg)
    return made


def _prices(settings: Settings, core_hour: float | None, gib_hour: float | None) -> Prices:
    """As the options say, else the settings."""
    return Prices(
        settings.price_core_hour if core_hour is None else core_hour,
        settings.price_gib_hour if gib_hour is None else gib_hour,
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        msg = f"--to {folder}: {error.strerror}. Name a folder that you may write to."
        raise ConfigError(msg) from error
