"""Named profiles: the Airflows that a user speaks to, in a small file of their own, and which of them is meant.

`profiles.toml` lies in the folder `triptych` of the user's configuration (XDG_CONFIG_HOME, else ~/.config):

    [production]
    airflow = "https://airflow.example.com"
    user = "ada"
    password_env = "AIRFLOW_PASSWORD"
    workspace = "s3://bucket/triptych"

It may hold a password, a token or an API key, and then nobody else may read it.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import NamedTemporaryFile

from triptych.errors import ConfigError
from triptych.schemas.diagnostics import nearest_or_all

NONE = "none"
"""The name that stands for no profile: the jobs of this machine, whatever the environment says."""
VARIABLE = "TRIPTYCH_PROFILE"
OTHERS_BITS = 0o077
HIDDEN = ("password", "token", "api_key")
"""What of a profile is secret."""


@dataclass(frozen=True)
class Profile:
    """One Airflow: its URL, who one is there, and where its jobs' workspace is, as far as that can be reached."""

    airflow: str
    user: str | None = None
    password_env: str | None = None
    token_env: str | None = None
    api_key_env: str | None = None
    """The variables that hold a password, a token, or an API key."""
    password: str | None = None
    token: str | None = None
    api_key: str | None = None
    workspace: str | None = None
    workspace_conn_id: str | None = None

    @property
    def secret(self) -> str | None:
        """What of it is secret and lies in the file."""
        return self.token or self.password or self.api_key


def profiles_path() -> Path:
    """Where the file is, or would be."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "triptych" / "profiles.toml"


def chosen_profile(name: str | None) -> Profile | None:
    """The one of this name, else of TRIPTYCH_PROFILE; None where neither is given, and for `none`."""
    wanted = name or os.environ.get(VARIABLE)
    if not wanted or wanted == NONE:
        return None
    return find_profile(read_profiles(), wanted)


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
    if mode & OTHERS_BITS and any(profile.secret for profile in found.values()):
        msg = f"{path}: holds a secret, and others can read it: chmod 600 {path}"
        raise ConfigError(msg)
    return found


def find_profile(found: Mapping[str, Profile], name: str) -> Profile:
    """The one of this name; ConfigError with the nearest name where there is none."""
    if name not in found:
        msg = f"{name}: there is no such profile in {profiles_path()}.{nearest_or_all(name, list(found))}"
        raise ConfigError(msg)
    return found[name]


def write_profiles(profiles: Mapping[str, Profile]) -> None:
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


def _quoted(text: str) -> str:
    """As a string of TOML, whose escapes are those of JSON; DEL, which JSON leaves, too."""
    return json.dumps(text).replace("\x7f", "\\u007f")
