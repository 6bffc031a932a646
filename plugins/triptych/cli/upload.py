"""`triptych upload`: files of this machine for jobs that run elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from triptych.cli.console import echo, errors, print_json, print_line, results_only
from triptych.cli.setup import AsJson, local_settings
from triptych.local.upload import files_of, upload

HOUR_S = 3600
EPILOG = """Examples:

`triptych upload words.txt`

`triptych upload photos/ captions.csv --expires 12 --json`

`triptych run wordcount --source $(triptych upload words.txt)`
"""


def upload_files(
    files: Annotated[list[Path], typer.Argument(help="Files, and folders with all below them.")],
    expires: Annotated[float, typer.Option(min=0.01, help="Hours until they go.")] = 48,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    json_: AsJson = False,
) -> None:
    """Put files into the workspace for a while, and print the source that a job names: upload://..."""
    settings, named = local_settings(None, None), files_of(files)
    total = sum(path.stat().st_size for path in named.values())
    columns = (TextColumn("Uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=errors, transient=True, disable=quiet or not errors.is_terminal)
    with results_only(), bar:
        task = bar.add_task("", total=total)
        done = upload(settings, named, expires * HOUR_S, lambda count: bar.advance(task, count))
    if json_:
        about = {"source": done.uri, "expires": done.expires.isoformat(), "workspace": settings.workspace}
        print_json({**about, "files": [asdict(each) for each in done.files]})
        return
    if not quiet:
        when = f"{done.expires:%Y-%m-%d %H:%M} UTC"
        echo(f"{len(done.files)} file(s), {total:,} bytes, until {when}. Who knows this name can read them in a job:")
    print_line(done.uri)
