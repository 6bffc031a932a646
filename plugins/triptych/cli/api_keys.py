"""`triptych api-key`: keys for the Jobs API of an Airflow, for whoever logs in to it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from triptych.api.prefix import PREFIX
from triptych.cli.console import echo, print_json, print_line
from triptych.cli.login import PasswordEnv, TokenEnv, User, airflow_client
from triptych.cli.setup import AsJson

key_commands = typer.Typer(no_args_is_help=True, help="API keys, by which programs use the Jobs API as you.")
Url = Annotated[str, typer.Option("--airflow", help="The Airflow's URL.")]
EPILOG = """Example:

`triptych api-key create --airflow https://airflow.example.com --user ann --name laptop`
"""


@key_commands.command("create", epilog=EPILOG)
def create(
    airflow: Url,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[float, typer.Option(min=0.001, help="Days until it ends.")] = 90,
    user: User = None,
    password_env: PasswordEnv = "AIRFLOW_PASSWORD",
    token_env: TokenEnv = "AIRFLOW_TOKEN",
    json_: AsJson = False,
) -> None:
    """Make an API key for yourself, and print it: it is shown this once."""
    client = airflow_client(airflow, user, password_env, token_env)
    made = client.ask("POST", f"{PREFIX}/auth/api_keys", {"name": name, "validDays": days})
    if json_:
        print_json(made)
        return
    echo(f"Until {made['expiresAt'][:16]} UTC, and shown this once. `triptych api-key revoke {made['id']}` ends it:")
    print_line(made["apiKey"])


@key_commands.command("list")
def show(
    airflow: Url,
    user: User = None,
    password_env: PasswordEnv = "AIRFLOW_PASSWORD",
    token_env: TokenEnv = "AIRFLOW_TOKEN",
    json_: AsJson = False,
) -> None:
    """List your API keys that are still good; what they are is shown when they are made, and never again."""
    client = airflow_client(airflow, user, password_env, token_env)
    keys: list[dict[str, Any]] = client.ask("GET", f"{PREFIX}/auth/api_keys")["apiKeys"]
    if json_:
        print_json(keys)
        return
    for key in keys:
        print_line(f"{key['id']}  until {key['expiresAt'][:16]} UTC  {key['name']}")


@key_commands.command("revoke")
def revoke(
    airflow: Url,
    key_id: Annotated[str, typer.Argument(help="The key's id, as `list` shows it.")],
    user: User = None,
    password_env: PasswordEnv = "AIRFLOW_PASSWORD",
    token_env: TokenEnv = "AIRFLOW_TOKEN",
) -> None:
    """End an API key of yours, and every token that was made with it, at once."""
    client = airflow_client(airflow, user, password_env, token_env)
    client.ask("POST", f"{PREFIX}/auth/api_keys/{quote(key_id, safe='')}/revoke", {})
    echo(f"{key_id} is good for nothing any more.")
