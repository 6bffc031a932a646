"""Requests as the OpenAPI document describes them; what is read of them, each endpoint judges itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object"}
_PLACE: Schema = {
    "description": "A URI, an object with `uri`, or a descriptor with its `params`.",
    "example": {"dataSourceDescriptor": "url", "params": {"url": "https://example.com/words.txt"}},
}
CONFIG: Schema = {
    "type": "object",
    "description": "The job's `config`, as docs/reference/job-spec.md has it; numbers also as texts.",
    "example": {"taskTimeout": "3600"},
}
PARAMS: Mapping[str, Schema] = {"partitioner": _OBJECT, "app": _OBJECT, "assembler": _OBJECT}
PLACES: Mapping[str, Schema] = {"dataSource": _PLACE, "dataDestination": _PLACE}
JOB: Mapping[str, Schema] = {
    "jobId": {**TEXT, "description": "Of a draft, which is changed then."},
    "templateId": {**TEXT, "description": "A template, which is a DAG."},
    "name": TEXT,
    "description": TEXT,
    **PLACES,
    "inputs": _OBJECT,
    "params": {"type": "object", "properties": PARAMS},
    "config": CONFIG,
}


def body(properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """For `openapi_extra`: a JSON object of these properties, which may be left out where none is required."""
    schema = {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}
    return {"requestBody": {"required": bool(required), "content": {"application/json": {"schema": schema}}}}
