"""`triptych profile`: the Airflows that a user speaks to, by name (`triptych.profiles`)."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from triptych.cli.console import echo, print_json, print_line, print_table
from triptych.cli.setup import AsJson
from triptych.errors import ConfigError
from triptych.profiles import (
    HIDDEN,
    NONE,
    VARIABLE,
    Profile,
    find_profile,
    profiles_path,
    read_profiles,
    write_profiles,
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
COLUMNS = ["profile", "Airflow", "user", "login", "workspace"]
profile_commands = typer.Typer(
    no_args_is_help=True, help="Profiles: the Airflows that commands can be sent to by name."
)
Name = Annotated[str, typer.Argument(help="The profile's name: letters, digits, `-` and `_`.")]


@profile_commands.command("list", epilog="Example: triptych profile list --json")
def list_(json_: AsJson = False) -> None:
    """The profiles of this user, without what is secret in them."""
    found = read_profiles()
    if json_:
        print_json([{"profile": name, **_shown(profile)} for name, profile in found.items()])
        return
    print_table(COLUMNS, [_row(name, profile) for name, profile in found.items()])
    if not found:
        echo(f"No profile in {profiles_path()}; `triptych profile add NAME --airflow URL` makes one.")


@profile_commands.command(
    "add",
    epilog="Examples:\n\n"
    "`triptych profile add production --airflow https://airflow.example.com --user ada --password-stdin < password.txt`"
    "\n\n`triptych profile add staging --airflow http://localhost:8080 --token-env AIRFLOW_TOKEN`"
    "\n\n`triptych profile add notebooks --airflow https://airflow.example.com --api-key-stdin < key.txt`\n",
)
def add(
    name: Name,
    airflow: Annotated[str, typer.Option(help="URL of Airflow's api-server.")],
    user: Annotated[str | None, typer.Option(help="Who you are to Airflow.")] = None,
    password_env: Annotated[str | None, typer.Option(help="The variable that will hold the password.")] = None,
    token_env: Annotated[str | None, typer.Option(help="The variable that will hold a token.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The variable that will hold an API key, for `triptych.client`.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Keep the password that standard input holds.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Keep the token that standard input holds.")
    ] = False,
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="Keep the API key that standard input holds.")
    ] = False,
    workspace: Annotated[
        str | None, typer.Option(help="URI of that Airflow's workspace, where this machine can reach it.")
    ] = None,
    workspace_conn_id: Annotated[str | None, typer.Option(help="Airflow connection of the workspace's store.")] = None,
    json_: AsJson = False,
) -> None:
    """Make a profile, or make it anew. What is secret comes from a variable or standard input, never as an option."""
    if not _NAME.fullmatch(name) or name == NONE:
        msg = f"{name!r} can name no profile: it is of letters, digits, - and _, and not {NONE!r}."
        raise ConfigError(msg)
    piped = {"password": password_stdin, "token": token_stdin, "api_key": api_key_stdin}
    keys = [key for key, is_piped in piped.items() if is_piped]
    if len(keys) > 1:
        msg = f"{' and '.join(map(_option, keys))}: standard input holds one of them."
        raise ConfigError(msg)
    if (password_stdin or password_env) and not user:
        msg = "--user is missing: whose password is it?"
        raise ConfigError(msg)
    made = Profile(
        airflow,
        user=user,
        password_env=password_env,
        token_env=token_env,
        api_key_env=api_key_env,
        workspace=workspace,
        workspace_conn_id=workspace_conn_id,
        **{key: _piped(key) for key in keys},
    )
    write_profiles({**read_profiles(), name: made})
    if json_:
        print_json({"profile": name, **_shown(made), "path": str(profiles_path())})
        return
    echo(f"{name} is in {profiles_path()}. Use it by --profile {name}, or {VARIABLE}={name}.")


@profile_commands.command("remove", epilog="Example: triptych profile remove staging")
def remove(name: Name, json_: AsJson = False) -> None:
    """Forget a profile, with what is secret in it."""
    found = read_profiles()
    find_profile(found, name)
    write_profiles({each: profile for each, profile in found.items() if each != name})
    if json_:
        print_json({"profile": name, "removed": True})
    else:
        print_line(f"{name} is gone from {profiles_path()}.")


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}-stdin"


def _piped(key: str) -> str:
    """The line that standard input holds; ConfigError for none."""
    secret = sys.stdin.readline().strip()
    if not secret:
        msg = f"Standard input holds no line. Pipe the secret in: `... {_option(key)} < secret.txt`."
        raise ConfigError(msg)
    return secret


def _shown(profile: Profile) -> dict[str, str | None]:
    about: dict[str, str | None] = {key: value for key, value in asdict(profile).items() if key not in HIDDEN}
    return {**about, "login": _login(profile)}


def _login(profile: Profile) -> str:
    """Where the login comes from: what it is, nowhere."""
    for kept, word in ((profile.token, "token"), (profile.password, "password"), (profile.api_key, "API key")):
        if kept:
            return f"{word} kept"
    variable = profile.token_env or profile.password_env or profile.api_key_env
    return variable or ("AIRFLOW_PASSWORD" if profile.user else "AIRFLOW_TOKEN")


def _row(name: str, profile: Profile) -> list[str]:
    return [name, profile.airflow, profile.user or "-", _login(profile), profile.workspace or "-"]
