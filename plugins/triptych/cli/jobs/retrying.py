"""`triptych job retry`: a job goes on with what is left undone, with the code that it has, or with new code."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych.cli.console import echo, print_json
from triptych.cli.place import OfTemplate, Place, Run, operator_settings, placed
from triptych.cli.run import run as run_here
from triptych.cli.setup import AsJson, sound_template
from triptych.settings import Runner
from triptych.stages.repair import NewCode

if TYPE_CHECKING:
    from triptych.airflow.rest import AirflowClient

EPILOG = """Examples:

`triptych job retry local-20261124T093000-1f9a --new-code keep`

`triptych job retry manual__2026-11-24T09:30:00+00:00 --airflow http://localhost:8080 --user admin --password-env PASSWORD --new-code keep`
"""  # noqa: E501 - a command is one line.


@placed
def retry(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    new_code: Annotated[
        NewCode | None, typer.Option(help="Keep what is done, or rerun all, with the code as it is now.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="On an Airflow: end the run first, if it still runs.")] = False,
    runner: Annotated[
        Runner | None, typer.Option(help="Here: process isolates nothing; for trying things out.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Go on with a job: what has a result stays. Without --new-code with the code of its launch, whatever is here."""
    dag = place.dag_of(run, template)
    if place.client is None:
        run_here(dag, resume=run, new_code=new_code, runner=runner, include=list(place.include) or None, json_=json_)
        return
    if new_code is None:
        _clear(place.client, dag, run, stop=stop, as_json=json_)
    else:
        _with_new_code(place, dag, run, new_code, stop=stop, as_json=json_)


def _clear(client: AirflowClient, dag: str, run: str, *, stop: bool, as_json: bool) -> None:
    from triptych.airflow.retry import clear_failed

    cleared = clear_failed(client, dag, run, stop=stop)
    if as_json:
        print_json({"run": run, "dag": dag, "plan": None, "kept": None, "cleared": _cleared(cleared)})
        return
    echo(f"{len(cleared)} task(s) of {dag} were cleared and run again, with the code of the launch.")


def _with_new_code(place: Place, dag: str, run: str, new_code: NewCode, *, stop: bool, as_json: bool) -> None:
    from triptych.airflow.retry import retry as retry_run

    assert place.client is not None  # The caller's.
    settings = operator_settings(place)
    blocks = sound_template(settings, dag).blocks
    done = retry_run(place.client, settings, blocks, dag, run, new_code, stop=stop)
    repaired = done.repaired
    if as_json:
        about: dict[str, Any] = {"run": run, "dag": dag, "plan": asdict(repaired.ref), "kept": repaired.kept}
        print_json({**about, "cleared": _cleared(done.cleared)})
        return
    echo(
        f"Plan {repaired.ref.generation}, SHA-256 {repaired.ref.sha256}: {repaired.kept} of {repaired.plan.chunks} "
        f"chunk(s) have a result. {len(done.cleared)} task(s) of {dag} were cleared and run again."
    )


def _cleared(tasks: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    return [{"task": task, "map": index} for task, index in tasks]
