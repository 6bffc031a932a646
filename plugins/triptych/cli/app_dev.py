"""`triptych app dev`: an app's cases run again at each save."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from triptych.blocks import Block
from triptych.cli.app_test import Chosen, build_image, choose_cases, show, template_of
from triptych.cli.console import clear_screen, echo, echo_error, print_line, results_only
from triptych.cli.progress import Progress
from triptych.cli.setup import Include, catalog, local_settings
from triptych.errors import TriptychError
from triptych.local.testing.cases import Case, read_case
from triptych.local.testing.output_lines import output_lines
from triptych.local.testing.run_case import CaseResult, State, case_output, failure, judge
from triptych.local.testing.watching import rerun_on_change
from triptych.settings import Runner, Settings

EPILOG = "Example: triptych app dev wordcount --runner process"
_SHOWN_LINES = 10
_SHOWN_FILES = 5


def app_dev(
    app: Annotated[str, typer.Argument(help="Name, tag or folder of an app, or app/case.")],
    build: Annotated[bool, typer.Option("--build", help="Build its image first, where it is not here.")] = False,
    runner: Annotated[Runner | None, typer.Option(help="process isolates nothing; for trying things out.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Tasks at once. Default: by cores.")] = None,
    include: Include = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the scripts print.")] = False,
) -> None:
    """Run an app's test at each save, until Ctrl-C: what differs from test/expected/, or the output's first lines."""
    settings = local_settings(include, runner)
    chosen, _ = choose_cases(catalog(include), [app])
    folder = chosen[0][0].folder
    if build:
        build_image(settings, chosen[0][0])

    def round_() -> None:
        clear_screen()
        try:
            for block, case in choose_cases(catalog(include), [app])[0]:
                _run(settings, (block, case), workers, verbose=verbose)
        except TriptychError as error:
            echo_error(_in_folder(include, folder) or str(error))
        echo(f"{time.strftime('%H:%M:%S')}: waiting for a change in {folder}; Ctrl-C ends.")

    try:
        rerun_on_change(_watched(settings, chosen[0][0], chosen), round_)
    except KeyboardInterrupt:
        echo("Ended.")


def _in_folder(include: list[Path] | None, folder: Path) -> str:
    """What is wrong with the app's own files, in mid-save most often: for that there is no such app for the moment."""
    return "\n".join(str(error) for error in catalog(include).errors if error.path.is_relative_to(folder))


def _watched(settings: Settings, app: Block, chosen: list[Chosen]) -> list[Path]:
    """The app's folder, and where its template lies elsewhere."""
    folders = {app.folder}
    for block, folder in chosen:
        try:
            case = read_case(block, folder)
            folders.add(template_of(settings, case).path.parent)
        except TriptychError:
            continue  # The first round says so.
    return [each for each in folders if each == app.folder or not each.is_relative_to(app.folder)]


def _run(settings: Settings, chosen: Chosen, workers: int | None, *, verbose: bool) -> None:
    case = read_case(*chosen)
    started = time.monotonic()
    shown: list[str] = []
    with results_only(), Progress(quiet=True, verbose=verbose) as watch:
        try:
            with case_output(settings, template_of(settings, case), case, workers, watch) as output:
                is_judged = case.check is not None or case.expected.is_dir()
                differences = tuple(judge(case, output)) if is_judged else ()
                shown = [] if differences else output_lines(output, _SHOWN_FILES, _SHOWN_LINES)
            state, error = State.FAILED if differences else State.PASSED, ""
        except TriptychError as failed:
            state, differences, error = State.ERROR, (), failure(case, failed)
            is_judged = True
    if is_judged:
        show(CaseResult(case.label, state, time.monotonic() - started, differences, error))
    else:
        print_line(f"done    {case.label} ({time.monotonic() - started:.1f} s); {_how_to_expect(case)}")
    for line in shown:
        print_line(f"    {line}")


def _how_to_expect(case: Case) -> str:
    return f"to expect this from now on: triptych app test {case.label} --update"
