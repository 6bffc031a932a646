"""Who the command is to an Airflow: a name with a password, or a token, from variables, never on the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from triptych.errors import ConfigError
from triptych.retention.running_runs import AirflowRuns, NoAirflow

if TYPE_CHECKING:
    from triptych.airflow.rest import AirflowClient

User = Annotated[str | None, typer.Option(help="Who you are to Airflow.")]
PasswordEnv = Annotated[str, typer.Option(help="The variable that holds the password.")]
TokenEnv = Annotated[str, typer.Option(help="Without --user: the variable that holds a token.")]


def airflow_client(
    url: str,
    user: str | None,
    password_env: str,
    token_env: str,
    *,
    password: str | None = None,
    token: str | None = None,
) -> AirflowClient:
    """Who has a password or a token already gives it; otherwise a variable holds it.

    ConfigError without a login, or without the library that speaks to Airflow.
    """
    name = password_env if user else token_env
    secret = (password if user else token) or os.environ.get(name)
    if not secret:
        msg = (
            f"{name} is not set: give --user and its password in a variable (--password-env), or a token (--token-env)."
        )
        raise ConfigError(msg)
    try:
        from triptych.airflow.rest import AirflowClient
    except ModuleNotFoundError as error:
        msg = f"To speak to Airflow needs {error.name!r}, which is not installed: pip install 'triptych[airflow]'."
        raise ConfigError(msg) from error
    return AirflowClient(url, user, secret) if user else AirflowClient(url, token=secret)


def airflow_runs(client: AirflowClient | None) -> AirflowRuns:
    """Who tells which runs have not ended: the Airflow that it speaks to, or nobody."""
    if client is None:
        return NoAirflow()
    from triptych.airflow.unfinished import RestRuns

    return RestRuns(client)
