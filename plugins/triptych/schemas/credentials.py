"""What in a location is a credential, whatever it is called, and what to do instead: nothing of it is shown."""

from __future__ import annotations

import re
from urllib.parse import unquote

_KEY = re.compile(
    r"pass(word|wd|phrase)?$|token|secret(?!_?id)|(access|account|api|private|shared|session|aws).*key"
    r"|credential|connection_?string|^sas|signature|^login$|^user(_?name)?$",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"[?&;][^=&]*(token|passw|secret|access.?key|api.?key|account.?key|credential|\bsig\b|signature)[^=&]*=",
    re.IGNORECASE,
)
_AZURE = ("abfs", "abfss", "wasb", "wasbs", "azure")
"""Their URIs name `container@account`."""
_CONN_TYPES = {
    "abfs": "wasb",
    "azure": "wasb",
    "s3": "aws",
    "gs": "google_cloud_platform",
    "gcs": "google_cloud_platform",
    "http": "http",
    "https": "http",
}


def is_credential(key: str) -> bool:
    """Whether a key of this name holds one."""
    return _KEY.search(key) is not None


def has_credential(uri: str) -> bool:
    """Whether a URI has a login in front of its host, or a token or signature in its query."""
    scheme, _, rest = unquote(uri).partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    has_login = bool(at) and (":" in user or scheme.lower() not in _AZURE)
    return has_login or _QUERY.search(unquote(uri)) is not None


def conn_type(scheme: str) -> str:
    """Airflow's type of a connection that opens URIs of this scheme."""
    return _CONN_TYPES.get(scheme, "generic")


def refusal(conn_type: str) -> str:
    """The sentence for a credential that stands where a connection of this type should be named."""
    host = "--conn-host https://HOST " if conn_type == "http" else ""
    return (
        "holds credentials, which whoever sees the job would see. Change them, for they stood here, and make an "
        f"Airflow connection: `airflow connections add my_store --conn-type {conn_type} {host}--conn-login KEY "
        "--conn-password SECRET`; then name it as conn_id."
    )
