"""The trigger form: one flat field per property of a schema, and the nested `params` and `config` of the REST API."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow.sdk import Param

from triptych.airflow.form_schema import form_schema, resolved
from triptych.blocks import Role, Template
from triptych.jobs.spec import config_schema
from triptych.schemas.diagnostics import Json
from triptych.schemas.properties import properties

_ANY_LOCATION = ["null", "string", "array", "object"]
"""What a source may be written as, and a destination, of which `[]` says that there is none."""
_FOR_REST = "For callers of the REST API; leave it empty here, the fields above say the same."


def form_params(template: Template) -> dict[str, Param]:
    """Airflow params by name, in the order and sections that the form shows."""
    return {
        "name": Param(None, type=["null", "string"], title="Job name", section="Data"),
        "dataSource": _location("Source", template.data_source),
        "dataDestination": _location("Destination", template.data_destination),
        **{f"inputs.{name}": _location(f"Input: {name}", each) for name, each in template.inputs.items()},
        **_role_fields(template, Role.APP, "App"),
        **_role_fields(template, Role.PARTITIONER, "Partitioner"),
        **_role_fields(template, Role.ASSEMBLER, "Assembler"),
        **_config_fields(template),
        "inputs": _nested_inputs(template),
        "params": Param(None, _FOR_REST, schema={**_nested(template), "section": "REST", "title": "Parameters (REST)"}),
        "config": Param(
            None,
            _FOR_REST,
            schema={
                "oneOf": [{"type": "null"}, dict(config_schema())],
                "section": "REST",
                "title": "Config (REST)",
            },
        ),
    }


def _nested_inputs(template: Template) -> Param:
    """All side inputs as one object; where the template names none, the form's only field for them."""
    if template.inputs:
        about, section = _FOR_REST, {"section": "REST", "title": "Inputs (REST)"}
    else:
        about = 'What every chunk reads beside its own bytes, by name: `{"reference": "s3://bucket/genome.fa"}`.'
        section = {"section": "Data", "title": "Side inputs"}
    return Param(None, about, schema={"type": ["object", "null"], **section})


def _location(title: str, default: Json) -> Param:
    about = (
        "A URI (`s3://`, `gs://`, `abfs://`, `file://`; of a source also `https://`): one object, a folder ending in "
        "`/`, or a glob."
    )
    return Param(default, type=_ANY_LOCATION, title=title, section="Data", description_md=about)


def _role_fields(template: Template, role: Role, section: str) -> dict[str, Param]:
    schema = template.blocks[role].schema
    given = template.params.get(role, {})
    return {
        f"{role}.{key}": _field(inner, schema, given.get(key, inner.get("default")), section)
        for key, inner in properties(schema).items()
    }


def _config_fields(template: Template) -> dict[str, Param]:
    return {
        f"config.{key}": Param(template.config.get(key, default), about, schema=schema)
        for key, default, about, schema in _config_schemas()
    }


@cache
def _config_schemas() -> list[tuple[str, Json, str | None, dict[str, Any]]]:
    """Name, default, description and schema of each key of `config`: the same in every form."""
    root = config_schema()
    fields = [(key, inner["default"], _field(inner, root, None, "Run")) for key, inner in properties(root).items()]
    return [(key, default, field.description, field.schema) for key, default, field in fields]


def _field(described: Mapping[str, Any], root: Mapping[str, Any], default: Json, section: str) -> Param:
    """One flat field. Nullable: an empty field means "not given", and the full schema judges that in `partition`."""
    schema = form_schema(described, root)
    types = schema.get("type", ["string", "number", "boolean", "array", "object"])
    listed = types if isinstance(types, list) else [types]
    schema["type"] = listed if "null" in listed else ["null", *listed]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    about = resolved(described, root).get("description")
    # Apart from the schema: Airflow reads a description inside it as a second argument of that name.
    return Param(default, about if isinstance(about, str) else None, schema={**schema, "section": section})


def _nested(template: Template) -> dict[str, Any]:
    """`{partitioner, app, assembler}` or null: a bad nested conf is refused at launch, with its place.

    As the flat fields describe it: the whole schema judges the merged job in `partition`.
    """
    roles = {
        role.value: {**form_schema(block.schema, block.schema), "type": ["object", "null"]}
        for role, block in template.blocks.items()
    }
    return {"type": ["object", "null"], "additionalProperties": False, "properties": roles}
