"""Named profiles: the Airflows that a user speaks to, in a small file of their own, and which of them is meant.

`profiles.toml` lies in the folder `triptych` of the user's configuration (XDG_CONFIG_HOME, else ~/.config):

    [production]
    airflow = "https://airflow.example.com"
    user = "ada"
    password_env = "AIRFLOW_PASSWORD"
    workspace = "s3://bucket/triptych"

It may hold a password or a token, and then nobody else may read it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated

import typer

from triptych.cli.console import echo, print_json, print_line, print_table
from triptych.cli.setup import AsJson
from triptych.errors import ConfigError
from triptych.schemas.diagnostics import nearest_or_all

NONE = "none"
"""The name that stands for no profile: the jobs of this machine, whatever the environment says."""
VARIABLE = "TRIPTYCH_PROFILE"
OTHERS_BITS = 0o077
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HIDDEN = ("password", "token")
COLUMNS = ["profile", "Airflow", "user", "login", "workspace"]
profile_commands = typer.Typer(
    no_args_is_help=True, help="Profiles: the Airflows that commands can be sent to by name."
)


@dataclass(frozen=True)
class Profile:
    """One Airflow: its URL, who one is there, and where its jobs' workspace is, as far as that can be reached."""

    airflow: str
    user: str | None = None
    password_env: str | None = None
    token_env: str | None = None
    """The variables that hold a password, or a token."""
    password: str | None = None
    token: str | None = None
    workspace: str | None = None
    workspace_conn_id: str | None = None


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
    "\n\n`triptych profile add staging --airflow http://localhost:8080 --token-env AIRFLOW_TOKEN`\n",
)
def add(
    name: Name,
    airflow: Annotated[str, typer.Option(help="URL of Airflow's api-server.")],
    user: Annotated[str | None, typer.Option(help="Who you are to Airflow.")] = None,
    password_env: Annotated[str | None, typer.Option(help="The variable that will hold the password.")] = None,
    token_env: Annotated[str | None, typer.Option(help="The variable that will hold a token.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Keep the password that standard input holds.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Keep the token that standard input holds.")
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
    if password_stdin and token_stdin:
        msg = "--password-stdin and --token-stdin: standard input holds one of them."
        raise ConfigError(msg)
    if (password_stdin or password_env) and not user:
        msg = "--user is missing: whose password is it?"
        raise ConfigError(msg)
    secret = sys.stdin.readline().strip() if password_stdin or token_stdin else None
    if secret == "":
        msg = "Standard input holds no line. Pipe the secret in: `... --token-stdin < token.txt`."
        raise ConfigError(msg)
    made = Profile(
        airflow,
        user,
        password_env,
        token_env,
        secret if password_stdin else None,
        secret if token_stdin else None,
        workspace,
        workspace_conn_id,
    )
    _write({**read_profiles(), name: made})
    if json_:
        print_json({"profile": name, **_shown(made), "path": str(profiles_path())})
        return
    echo(f"{name} is in {profiles_path()}. Use it by --profile {name}, or {VARIABLE}={name}.")


@profile_commands.command("remove", epilog="Example: triptych profile remove staging")
def remove(name: Name, json_: AsJson = False) -> None:
    """Forget a profile, with what is secret in it."""
    found = read_profiles()
    _find(found, name)
    _write({each: profile for each, profile in found.items() if each != name})
    if json_:
        print_json({"profile": name, "removed": True})
    else:
        print_line(f"{name} is gone from {profiles_path()}.")


def profiles_path() -> Path:
    """Where the file is, or would be."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "triptych" / "profiles.toml"


def chosen_profile(name: str | None) -> Profile | None:
    """The one of this name, else of TRIPTYCH_PROFILE; None where neither is given, and for `none`."""
    wanted = name or os.environ.get(VARIABLE)
    if not wanted or wanted == NONE:
        return None
    return _find(read_profiles(), wanted)


def read_profiles() -> dict[str, Profile]:
    """By name; ConfigError for a file that is no such file, or holds a secret that others can read."""
    path = profiles_path()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except OSError as error:
        msg = f"{path}: {error.strerror}."
        raise ConfigError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path}: is no TOML: {error}."
        raise ConfigError(msg) from error
    found = {name: _profile(path, name, table) for name, table in data.items()}
    if mode & OTHERS_BITS and any(getattr(profile, key) for profile in found.values() for key in _HIDDEN):
        msg = f"{path}: holds a secret, and others can read it: chmod 600 {path}"
        raise ConfigError(msg)
    return found


def _profile(path: Path, name: str, table: object) -> Profile:
    known = [field.name for field in fields(Profile)]
    if not isinstance(table, dict) or not isinstance(table.get("airflow"), str):
        msg = f'{path}: [{name}] needs a line airflow = "https://...", the URL of its api-server.'
        raise ConfigError(msg)
    for key, value in table.items():
        if key not in known:
            msg = f"{path}: [{name}] {key}: is unknown.{nearest_or_all(key, known)}"
            raise ConfigError(msg)
        if not isinstance(value, str):
            msg = f"{path}: [{name}] {key}: is a text, in quotes."
            raise ConfigError(msg)
    return Profile(**table)


def _find(found: Mapping[str, Profile], name: str) -> Profile:
    if name not in found:
        msg = f"{name}: there is no such profile in {profiles_path()}.{nearest_or_all(name, list(found))}"
        raise ConfigError(msg)
    return found[name]


def _write(profiles: Mapping[str, Profile]) -> None:
    """All of them, in place of the file; it is the user's alone from its first byte."""
    path = profiles_path()
    lines = []
    for name, profile in profiles.items():
        lines += [f"[{name}]", *(f"{key} = {_quoted(value)}" for key, value in asdict(profile).items() if value), ""]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as out:  # Its mode is 600.
            out.write("\n".join(lines))
        Path(out.name).replace(path)
    except OSError as error:
        msg = f"{path}: {error.strerror}. XDG_CONFIG_HOME names another folder."
        raise ConfigError(msg) from error


def _quoted(text: str) -> str:
    """As a string of TOML, whose escapes are those of JSON; DEL, which JSON leaves, too."""
    return json.dumps(text).replace("\x7f", "\\u007f")


def _shown(profile: Profile) -> dict[str, str | None]:
    about: dict[str, str | None] = {key: value for key, value in asdict(profile).items() if key not in _HIDDEN}
    return {**about, "login": _login(profile)}


def _login(profile: Profile) -> str:
    """Where the login comes from: what it is, nowhere."""
    if profile.token or profile.password:
        return "token kept" if profile.token else "password kept"
    return profile.token_env or profile.password_env or ("AIRFLOW_PASSWORD" if profile.user else "AIRFLOW_TOKEN")


def _row(name: str, profile: Profile) -> list[str]:
    return [name, profile.airflow, profile.user or "-", _login(profile), profile.workspace or "-"]
