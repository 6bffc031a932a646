"""`triptych verify`: whether an output is still what the job wrote."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from triptych.cli.console import echo, echo_error, print_json, print_line, results_only
from triptych.cli.parameters import local_uri
from triptych.cli.setup import AsJson, local_settings
from triptych.errors import IntegrityError
from triptych.stages.publishing.verification import verify
from triptych.storage import Stores

EPILOG = """Exit codes: 0 all is as it was written; 5 no list of an output is there; 10 one is missing or changed.

Example: `triptych verify s3://bucket/counts/ --connection aws_default`"""


def verify_output(
    output: Annotated[str, typer.Argument(help="The folder or URI that a job wrote to.")],
    connection: Annotated[str | None, typer.Option(help="Airflow connection of its store.")] = None,
    json_: AsJson = False,
) -> None:
    """Read each file of an output, and compare it with size and SHA-256 in the list that lies beside it."""
    uri = local_uri(output, is_folder=True).rstrip("/") + "/"
    with results_only():
        found = verify(Stores(local_settings(None, None)).open(uri, connection), uri)
    if json_:
        print_json({**asdict(found), "sound": found.is_sound})
    else:
        for state in ("missing", "changed", "extra"):
            for name in getattr(found, state):
                print_line(f"{state}: {name}")
    if found.is_sound:
        echo(f"{found.files} file(s), {found.bytes:,} bytes, are as they were written.")
        return
    echo_error(f"{len(found.missing)} of {found.files} file(s) missing, {len(found.changed)} changed.")
    raise typer.Exit(IntegrityError.exit_code)
