"""What clients send: JSON in camelCase or snake_case, numbers also as strings, null for what is not set, or nothing.

The type of the content is not looked at, for not all of them send one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from triptych.api.answers import ApiError
from triptych.blocks.json_file import value_errors
from triptych.jobs.spec import config_schema
from triptych.schemas.diagnostics import Json, nearest_or_all
from triptych.schemas.properties import properties

if TYPE_CHECKING:
    from fastapi import Request

MOST_BYTES = 4 << 20
CONF_KEYS = ("dataSource", "dataDestination", "inputs", "params", "config")
"""Those of a job that are Triptych's own words, too."""
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_WORDS = re.compile(r"_([a-z0-9])")


async def read_body(request: Request, known: Collection[str], most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The object that was sent, with keys in camelCase, without nulls; empty where nothing was sent.

    ApiError for what is no object, or holds a key that is none of `known`.
    """
    named = camel_keys(await read_object(request, most_bytes))
    if unknown := [key for key in named if key not in known]:
        raise ApiError(400, "\n".join(f"{key}: is unknown.{nearest_or_all(key, known)}" for key in unknown))
    return named


async def read_object(request: Request, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The same as it was sent, whatever its keys."""
    data = bytearray()
    async for block in request.stream():
        data += block
        if len(data) > most_bytes:
            raise ApiError(413, f"The body is larger than {most_bytes >> 20} MiB. Put the data into a source.")
    try:
        body = json.loads(data.decode("utf-8-sig")) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The body is no JSON: {error}.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object ({...}).")
    if errors := value_errors(body, "body"):
        raise ApiError(400, "\n".join(errors))
    return body


def camel_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    """`{"data_source": 1, "name": null}` -> `{"dataSource": 1}`, at this level alone."""
    return {_WORDS.sub(lambda found: found[1].upper(), key): each for key, each in value.items() if each is not None}


def text_of(body: Mapping[str, Any], key: str) -> str:
    """A text of the body, empty where it is missing; ApiError for anything else."""
    value = body.get(key, "")
    if not isinstance(value, str):
        raise ApiError(400, f"{key}: must be a text.")
    return value


def object_of(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object of the body, empty where it is missing; ApiError for anything else."""
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise ApiError(400, f"{key}: must be an object.")
    return value


def as_config(value: Mapping[str, Any]) -> dict[str, Any]:
    """A job's `config` in our words: `{"task_timeout": "3600"}` -> `{"taskTimeout": 3600}`."""
    known = properties(config_schema())
    return {key: _number(each, known.get(key, {})) for key, each in camel_keys(value).items()}


def conf_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Of a body the part that is the conf of a DAG run."""
    conf = {key: body[key] for key in CONF_KEYS if key in body}
    if "config" in conf:
        conf["config"] = as_config(object_of(body, "config"))
    if "params" in conf:
        conf["params"] = {role: given for role, given in object_of(body, "params").items() if given is not None}
    return conf


def _number(value: Json, schema: Mapping[str, Any]) -> Json:
    wanted = schema.get("type", ())
    takes = {wanted} if isinstance(wanted, str) else set(wanted)
    takes |= {kind for each in schema.get("anyOf", ()) for kind in [each.get("type")] if isinstance(kind, str)}
    is_whole = isinstance(value, str) and _WHOLE.fullmatch(value) and takes & {"integer", "number"}
    return int(str(value)) if is_whole else value
