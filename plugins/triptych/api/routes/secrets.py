"""`/auth/secrets`: Airflow's connections under the name that clients know them by; Airflow says who may make them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request

from triptych.api.answers import ApiError, done
from triptych.api.bodies import camel_keys, object_of, read_body, text_of
from triptych.api.callers import CallerDep
from triptych.api.inside import part
from triptych.api.shapes import TEXT, body

router = APIRouter(tags=["secrets"])
TYPES: Mapping[str, str] = {"aws": "aws", "s3": "aws", "gcp": "aws", "storj": "aws", "other": "generic"}
"""Airflow's type of the connection. Google's keys for HMAC are for its S3 interface, which `gcp` speaks."""
_MARK = "Secret of the Jobs API: "
"""How descriptions of such connections begin; the type follows."""
_PROPERTIES = {"id": TEXT, "secretType": TEXT, "accessKey": TEXT, "params": {"type": "object"}}
_SECRET = {"type": "object", "properties": _PROPERTIES}


@router.post("/secrets", openapi_extra=body({"secret": _SECRET, "secretKey": TEXT}, ("secret", "secretKey")))
async def create_secret(request: Request, caller: CallerDep) -> dict[str, Any]:
    """Make a connection, to be named as `secret_id` where an operator or a template allows it."""
    given = await read_body(request, ("secret", "secretKey"))
    secret = camel_keys(object_of(given, "secret"))
    kind = text_of(secret, "secretType").lower()
    if kind not in TYPES:
        raise ApiError(400, f"secret.secretType: must be one of {', '.join(TYPES)}.")
    if secret.get("expiresAt"):
        raise ApiError(400, "secret.expiresAt: Airflow's connections do not expire: leave it out.")
    params = object_of(secret, "params")
    if not all(isinstance(value, str) for value in params.values()):
        raise ApiError(400, "secret.params: must be an object of texts.")
    connection = {
        "connection_id": text_of(secret, "id") or text_of(secret, "name"),
        "conn_type": TYPES[kind],
        "description": f"{_MARK}{kind}",
        "login": text_of(secret, "accessKey"),
        "password": text_of(given, "secretKey"),
        "extra": json.dumps(params) if params else None,
    }
    await caller.airflow.once("POST", "connections", connection)
    return done()


@router.get("/secrets")
async def list_secrets(caller: CallerDep, secretType: str = "") -> dict[str, Any]:
    """The connections that were made so; never what is secret of them."""
    rows = await caller.airflow.pages("connections", "connections")
    made = [row for row in rows if (row.get("description") or "").startswith(_MARK)]
    shown = [_shown(row) for row in made]
    return {"secrets": [each for each in shown if secretType in ("", each["secretType"])]}


@router.delete("/secrets/{secret_type}/{secret_id}")
async def delete_secret(secret_type: str, secret_id: str, caller: CallerDep) -> dict[str, Any]:
    """Remove such a connection; any other stays."""
    path = f"connections/{part(secret_id)}"
    found = await caller.airflow.get(path)
    if found.get("description") != f"{_MARK}{secret_type.lower()}":
        raise ApiError(404, f"There is no secret {secret_id} of this type.")
    await caller.airflow.call("DELETE", path)
    return done()


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(row["description"]).removeprefix(_MARK)
    identity = row["connection_id"]
    about = {"id": identity, "name": identity, "secretType": kind, "expiresAt": None, "params": {}}
    return {**about, "accessKey": row.get("login") or ""}
