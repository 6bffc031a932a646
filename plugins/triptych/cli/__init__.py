"""The `triptych` command. Starts without Airflow; a mistake of the user's is one clear message and an exit code."""

from __future__ import annotations

import io
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from triptych import __version__
from triptych.blocks import Role
from triptych.cli import (
    api_keys,
    app_dev,
    app_test,
    blocks,
    chunks,
    jobs,
    profiles,
    run,
    suggest,
    upload,
    verify,
)
from triptych.cli.console import echo_error, encode_anything, print_json, print_line
from triptych.cli.publishing.commands import ENGINES, add_block_commands, add_template_commands
from triptych.cli.upkeep import clean, doctor
from triptych.errors import TriptychError

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
    cls=_Guarded,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Help is text: markup would eat `<run>` and `[brackets]`.
)
add_block_commands(blocks.app_commands, "app", (Role.APP,))
add_block_commands(blocks.engine_commands, "engine", ENGINES)
add_template_commands(blocks.template_commands)
blocks.app_commands.command("test", epilog=app_test.EPILOG)(app_test.app_test)
blocks.app_commands.command("dev", epilog=app_dev.EPILOG)(app_dev.app_dev)
blocks.engine_commands.command("suggest", epilog=suggest.EPILOG)(suggest.engine_suggest)
app.add_typer(blocks.app_commands, name="app")
app.add_typer(blocks.engine_commands, name="engine")
app.add_typer(blocks.template_commands, name="template")
app.add_typer(jobs.job_commands, name="job")
app.add_typer(chunks.chunk_commands, name="chunk")
app.add_typer(profiles.profile_commands, name="profile")
app.add_typer(api_keys.key_commands, name="api-key")
app.command("run", epilog=run.EPILOG)(run.run)
app.command("clean", epilog=clean.EPILOG)(clean.clean)
app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)
app.command("upload", epilog=upload.EPILOG)(upload.upload_files)
app.command("verify", epilog=verify.EPILOG)(verify.verify_output)
app.command("validate")(blocks.validate_all)


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
