"""Secrets of a block: Airflow connections turned into private environment variables."""

from __future__ import annotations

from triptych.blocks import Block
from triptych.errors import ManifestError


def secret_environment(block: Block) -> dict[str, str]:
    """`<id>_ACCESS_KEY` (login), `<id>_SECRET_KEY` and `<id>` (password) of each secret; masked in Airflow's logs.

    Raises ManifestError when a connection is missing.
    """
    if not block.secrets:
        return {}
    from airflow.sdk import BaseHook
    from airflow.sdk.log import mask_secret

    environment: dict[str, str] = {}
    for name in block.secrets:
        try:
            connection = BaseHook.get_connection(name)
        except Exception as error:
            msg = (
                f"{block.folder}: the secret {name!r} has no Airflow connection. Make it with "
                f"`airflow connections add {name} --conn-type generic --conn-login KEY --conn-password SECRET`."
            )
            raise ManifestError(msg) from error
        login, password = connection.login or "", connection.password or ""
        mask_secret(password)
        environment |= {f"{name}_ACCESS_KEY": login, f"{name}_SECRET_KEY": password, name: password}
    return environment
