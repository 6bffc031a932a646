"""Where a command finds its jobs: on this machine, or on an Airflow, with the workspace of either."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from triptych.cli.login import PasswordEnv, TokenEnv, User, airflow_client
from triptych.cli.setup import Include, include_folders, local_settings, template_id
from triptych.errors import ConfigError
from triptych.jobs.workspace import LOCKS, Workspace, folder_name, open_workspace
from triptych.profiles import VARIABLE, chosen_profile
from triptych.retention.run_lock import is_held
from triptych.settings import Settings, get_settings
from triptych.storage import Stores
from triptych.storage.paths import file_path

if TYPE_CHECKING:
    from triptych.airflow.rest import AirflowClient

P = ParamSpec("P")
Run = Annotated[str, typer.Argument(help="The run's id, as `triptych job list`, `triptych run` or Airflow shows it.")]
OfTemplate = Annotated[
    str | None,
    typer.Option("--template", "-t", "--dag", help="Its template, or DAG, where two have a run of this id."),
]
Airflow = Annotated[str | None, typer.Option(help="URL of the api-server of the Airflow whose jobs are meant.")]
ProfileName = Annotated[
    str | None, typer.Option("--profile", help=f"That Airflow by name (`triptych profile`). Also: {VARIABLE}.")
]
_ASKED = {
    "airflow": (Airflow, None),
    "profile": (ProfileName, None),
    "user": (User, None),
    "password_env": (PasswordEnv, "AIRFLOW_PASSWORD"),
    "token_env": (TokenEnv, "AIRFLOW_TOKEN"),
    "include": (Include, None),
}
NO_WORKSPACE = (
    "This machine does not know the workspace of that Airflow, which holds what is told of chunks: give its URI by "
    "AIRFLOW__TRIPTYCH__WORKSPACE, or as `workspace` of the profile, and its store's connection by "
    "AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID."
)


@dataclass(frozen=True)
class Place:
    """This machine, or with a client the Airflow that it speaks to."""

    settings: Settings
    client: AirflowClient | None
    include: Sequence[Path]
    """As given, for what this command says to type next."""
    options: Sequence[str]
    """By which another command is sent to the same place."""

    @property
    def has_workspace(self) -> bool:
        """Whether the records of jobs can be read; always here, and of an Airflow where it was said where they are."""
        return bool(self.settings.workspace)

    def dag_of(self, run: str, template: str | None) -> str:
        """The template, or DAG, that has this run; ConfigError when it is not clear which it is."""
        if self.client is None:
            return _dag_in_workspace(self.settings, run, template)
        if template:
            return template
        found = self.client.dags_of_run(run)
        if len(found) != 1:
            which = f" Name one by --dag: {', '.join(found)}." if found else " `triptych job list` shows what it has."
            msg = f"{len(found)} DAGs of {self.client.url} have a run {run}.{which}"
            raise ConfigError(msg)
        return found[0]

    def workspace(self, dag: str, run: str) -> Workspace:
        """That of the run; ConfigError where nobody said where it is."""
        if not self.has_workspace:
            raise ConfigError(NO_WORKSPACE)
        return open_workspace(self.settings, Stores(self.settings), dag, run)


def placed(command: Callable[Concatenate[Place, P], None]) -> Callable[..., None]:
    """The command with the options that say where jobs are, in place of its first argument."""
    return _with_options(command, lambda asked: place_of(**asked))


@dataclass(frozen=True)
class LaterPlace:
    """The same options of a command that may do without: a login is missed only where one is needed."""

    asked: dict[str, Any]

    @property
    def include(self) -> list[Path] | None:
        """As given."""
        include: list[Path] | None = self.asked["include"]
        return include

    def place(self) -> Place:
        """What the options mean, as `place_of`."""
        return place_of(**self.asked)


def placed_later(command: Callable[Concatenate[LaterPlace, P], None]) -> Callable[..., None]:
    """As `placed`, of a command that asks for its place itself."""
    return _with_options(command, LaterPlace)


def _with_options(
    command: Callable[Concatenate[Any, P], None], first: Callable[[dict[str, Any]], Place | LaterPlace]
) -> Callable[..., None]:
    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[1:]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        asked = {name: given.pop(name) for name in _ASKED}
        command(first(asked), **given)  # type: ignore[call-arg]  # Made by `first`, as the command asks.

    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _ASKED.items()
    ]
    last = [each for each in own if each.name == "json_"]
    kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own if each not in last]
    ends = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in last]
    with_options.__signature__ = signature.replace(parameters=[*kept, *options, *ends])  # type: ignore[attr-defined]  # Typer reads it.
    return with_options


def place_of(
    airflow: str | None,
    profile: str | None,
    user: str | None,
    password_env: str,
    token_env: str,
    include: list[Path] | None,
) -> Place:
    """What the options mean; ConfigError for those that contradict each other, and for a login that is missing."""
    if airflow and profile:
        msg = "--airflow and --profile: give one of them. A profile's login is for its own Airflow."
        raise ConfigError(msg)
    chosen = None if airflow else chosen_profile(profile)
    if airflow is None and chosen is None:
        return Place(local_settings(include, None), None, include or (), _include_options(include))
    settings = dataclasses.replace(local_settings(include, None), workspace=get_settings().workspace)
    if chosen is None:
        assert airflow is not None  # One of the two is there.
        client = airflow_client(airflow, user, password_env, token_env)
        login = ["--user", user, "--password-env", password_env] if user else ["--token-env", token_env]
        return Place(settings, client, include or (), ["--airflow", airflow, *login, *_include_options(include)])
    if chosen.workspace:
        settings = dataclasses.replace(
            settings, workspace=chosen.workspace.rstrip("/"), workspace_conn_id=chosen.workspace_conn_id
        )
    client = airflow_client(
        chosen.airflow,
        user or chosen.user,
        chosen.password_env or password_env,
        chosen.token_env or token_env,
        password=chosen.password,
        token=chosen.token,
    )
    options = ["--profile", profile] if profile else []
    return Place(settings, client, include or (), [*options, *_include_options(include)])


def operator_settings(place: Place) -> Settings:
    """For what is done to a job of that Airflow's: its engine is another one, whatever this machine's can run."""
    own = get_settings()
    settings = place.settings
    return dataclasses.replace(
        own,
        include=include_folders(list(place.include)),
        one_machine=False,
        workspace=settings.workspace,
        workspace_conn_id=settings.workspace_conn_id,
    )


def _include_options(include: Sequence[Path] | None) -> list[str]:
    return [part for folder in include or () for part in ("--include", str(folder))]


def _dag_in_workspace(settings: Settings, run: str, template: str | None) -> str:
    is_folder = settings.workspace.startswith("file://")
    jobs = file_path(settings.workspace) if is_folder else None
    if template:
        # A look at the workspace takes less than one at all blocks.
        is_there = jobs is not None and (jobs / folder_name(template) / folder_name(run)).is_dir()
        return template if is_there else template_id(settings, template)
    if jobs is None:
        msg = (
            f"--template: name the template, or DAG, of the run {run}: the workspace {settings.workspace} is no folder."
        )
        raise ConfigError(msg)
    name = folder_name(run)
    planned = {path.name for path in jobs.glob("*") if (path / name / "plans").is_dir()}
    running = {path.name for path in (jobs / LOCKS).glob("*") if is_held(settings, path.name, name)}
    found = sorted(planned | running)
    if len(found) == 1:
        return found[0]
    which = f"Name one by --template: {', '.join(found)}" if found else "[triptych] workspace says where jobs are"
    msg = f"{len(found)} templates have a run {run} with a plan in {jobs}. {which}."
    raise ConfigError(msg)
