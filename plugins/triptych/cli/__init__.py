"""The `triptych` command. Starts without Airflow; a mistake of the user's is one clear message and an exit code."""

from __future__ import annotations

import io
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from triptych import __version__
from triptych.cli.console import echo_error, encode_anything, print_json, print_line
from triptych.cli.deferred import deferred
from triptych.errors import TriptychError

COMMANDS = {
    "run": "triptych.cli.run:run",
    "clean": "triptych.cli.upkeep.clean:clean",
    "doctor": "triptych.cli.upkeep.doctor:doctor",
    "upload": "triptych.cli.upload:upload_files",
    "verify": "triptych.cli.verify:verify_output",
    "validate": "triptych.cli.blocks:validate_all",
    "version": None,
    "app": "triptych.cli.publishing.groups:app_commands",
    "engine": "triptych.cli.publishing.groups:engine_commands",
    "template": "triptych.cli.publishing.groups:template_commands",
    "job": "triptych.cli.jobs:job_commands",
    "chunk": "triptych.cli.chunks:chunk_commands",
    "profile": "triptych.cli.profiles:profile_commands",
    "api-key": "triptych.cli.api_keys:key_commands",
}
"""In the order of the help. Each is imported when it is called, or shown."""
EPILOG = (
    "Exit codes: 0 done, 1 a test that failed, 2 usage or configuration, 3 to 15 by kind of error "
    "(docs/reference/exit-codes.md), 130 Ctrl-C."
)


class _Guarded(TyperGroup):
    """Turns our errors, and Typer's of wrong usage, into a message and their exit code."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Read the arguments, call the command and end the process, as Typer does; its errors printed as ours are."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except Exception as error:
            show = getattr(error, "show", None)  # Of Typer's own errors alone, whose base it does not export.
            if show is None:
                raise
            text = io.StringIO()
            show(text)
            echo_error(text.getvalue().rstrip())
            code = getattr(error, "exit_code", 2)
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        """Call the command that was asked for; 130 for Ctrl-C, an error's own exit code without its traceback."""
        try:
            return super().invoke(ctx)
        except TriptychError as error:
            echo_error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            echo_error("Stopped.")
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=deferred(COMMANDS, _Guarded),
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Help is text: markup would eat `<run>` and `[brackets]`.
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"triptych {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Distributed jobs from a folder with a manifest, a schema and a script."""


@app.command()
def version(json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the version of Triptych; as JSON, that of Python, too."""
    python = ".".join(map(str, sys.version_info[:3]))
    if json_:
        print_json({"triptych": __version__, "python": python})
    else:
        print_line(f"triptych {__version__}")


def main() -> None:
    """Run the command; SIGTERM ends it as cleanly as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    encode_anything()
    app(prog_name="triptych")
