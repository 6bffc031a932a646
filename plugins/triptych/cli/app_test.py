"""`triptych app test`: the samples of apps, run as whole jobs, beside what is expected of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from triptych.blocks import Block, Catalog, Role, Template, read_catalog
from triptych.blocks.model import name_of
from triptych.cli.console import echo, echo_error, print_json, print_line, results_only
from triptych.cli.progress import Progress
from triptych.cli.setup import AsJson, Include, catalog, local_settings, sound_template
from triptych.errors import ManifestError, TriptychError, UnexpectedOutputError
from triptych.local.app_image import ensure_image
from triptych.local.testing.cases import Case, case_folders, label_of, read_case
from triptych.local.testing.junit import write_junit
from triptych.local.testing.run_case import CaseResult, State, run_case
from triptych.schemas.diagnostics import Json
from triptych.settings import Runner, Settings

EPILOG = """Examples:

`triptych app test`

`triptych app test wordcount thumbnails --build --junit results.xml`

`triptych app test wordcount --update`
"""
_MARKS = {State.PASSED: "ok", State.FAILED: "FAILED", State.ERROR: "ERROR", State.UPDATED: "updated"}

Chosen = tuple[Block, Path]
"""An app, and the folder of one of its cases."""


def app_test(
    apps: Annotated[
        list[str] | None, typer.Argument(help="Names, tags or folders of apps, or app/case. Default: all.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Show what changes, then write what is expected anew.")
    ] = False,
    build: Annotated[
        bool, typer.Option("--build", help="Build images that are not here, of apps with a Dockerfile.")
    ] = False,
    runner: Annotated[Runner | None, typer.Option(help="process isolates nothing; for trying things out.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Tasks at once. Default: by cores.")] = None,
    keep: Annotated[Path | None, typer.Option(help="A folder for what the jobs make, by app and case.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML, for CI, too.")] = None,
    include: Include = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the scripts print.")] = False,
    json_: AsJson = False,
) -> None:
    """Run the samples of apps and compare the outputs with test/expected/. Exit code 1: something differs."""
    settings = local_settings(include, runner)
    chosen, untested = choose_cases(catalog(include), apps or [], samples=update)
    results = []
    for app, folder in chosen:
        if build:
            build_image(settings, app)
        with results_only(), Progress(quiet=True, verbose=verbose) as watch:
            result = run_one(settings, app, folder, workers, watch, update=update, keep=keep)
        results.append(result)
        if not json_:
            show(result)
    if junit:
        write_junit(results, junit)
    if json_:
        print_json({"cases": [_as_json(each) for each in results], "untested": untested})
    _sum_up(results, untested)
    if any(each.state in (State.FAILED, State.ERROR) for each in results):
        raise typer.Exit(UnexpectedOutputError.exit_code)


def choose_cases(found: Catalog, wanted: Sequence[str], *, samples: bool = False) -> tuple[list[Chosen], list[str]]:
    """The cases that are meant, in order, and the names of apps that have none.

    A lone sample, of which nothing is expected yet, is one where its app was asked for by name, or with `samples`.
    ManifestError for what is no app, and for an app without a case that was asked for.
    """
    if wanted:
        by_folder = {folder: app for text in wanted for app, folder in _chosen(found, text)}
        return [(app, folder) for folder, app in by_folder.items()], []
    apps = [block for block in found.blocks if block.role is Role.APP]
    chosen = [(app, folder) for app in apps for folder in case_folders(app, samples=samples)]
    tested = {app.name for app, _ in chosen}
    return chosen, [app.name for app in apps if app.name not in tested]


def run_one(
    settings: Settings,
    app: Block,
    folder: Path,
    workers: int | None,
    watch: Progress,
    *,
    update: bool = False,
    keep: Path | None = None,
) -> CaseResult:
    """The case in this folder; what cannot be read of it is its result, too, so that it hides no other."""
    try:
        case = read_case(app, folder)
        template = template_of(settings, case)
    except TriptychError as error:
        return CaseResult(label_of(app, folder), State.ERROR, 0, error=str(error))
    return run_case(settings, template, case, workers, watch, update=update, keep=keep)


def template_of(settings: Settings, case: Case) -> Template:
    """The one that the case names, else the one in its app's folder, else any of that app's; as it is now."""
    templates = read_catalog(settings.include).templates
    own = (each.id for each in templates if each.path.parent == case.app.folder)
    return sound_template(settings, case.template or next(own, case.app.tag))


def build_image(settings: Settings, app: Block) -> None:
    """Have the app's own image here, where it brings a Dockerfile and chunks run in containers."""
    if settings.runner is Runner.DOCKER:
        ensure_image(app, echo)


def show(result: CaseResult) -> None:
    """One line, and below it what differs or went wrong."""
    print_line(f"{_MARKS[result.state]:7} {result.label} ({result.seconds:.1f} s)")
    for text in (*map(str, result.differences), *([result.error] if result.error else [])):
        print_line("\n".join(f"    {line}" for line in text.splitlines()))


def _chosen(found: Catalog, text: str) -> list[Chosen]:
    """`wordcount`, `wordcount@1`, `wordcount/case`, or the folder of an app or of a case."""
    apps = [block for block in found.blocks if block.role is Role.APP]
    path = Path(text).resolve()
    tag, _, case = text.partition("/")
    owner = next((app for app in apps if path.is_relative_to(app.folder.resolve())), None)
    if owner is None or any(app.name == name_of(tag) for app in apps):
        app = found.find(Role.APP, tag)
        folders = case_folders(app, samples=True)
        meant = [each for each in folders if case in ("", each.name)]
    else:
        app = owner
        folders = case_folders(app, samples=True)
        meant = [each for each in folders if each.resolve().is_relative_to(path)]
    if not meant:
        labels = ", ".join(label_of(app, each) for each in folders)
        there = f"Its cases: {labels}." if folders else "Put a sample into its folder test/."
        msg = f"{text}: the app {app.name!r} has no such test. {there}"
        raise ManifestError(msg)
    return [(app, each) for each in meant]


def _sum_up(results: Sequence[CaseResult], untested: Sequence[str]) -> None:
    counts = [f"{count} {state}" for state in State if (count := sum(each.state is state for each in results))]
    tell = echo_error if any(each.state in (State.FAILED, State.ERROR) for each in results) else echo
    tell(f"{len(results)} case(s): {', '.join(counts)}." if results else "There is no case to run.")
    if untested:
        echo(f"Without a test: {', '.join(untested)}.")


def _as_json(result: CaseResult) -> Json:
    return {
        "case": result.label,
        "state": result.state.value,
        "seconds": round(result.seconds, 3),
        "differences": [asdict(each) for each in result.differences],
        "error": result.error,
    }
