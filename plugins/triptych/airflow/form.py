"""The trigger form: one flat field per value that a schema describes, and the nested `params` and `config` of REST.

Airflow shows what has no section in the one that is open: so what a job cannot start without has none, and comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow.sdk import Param

from triptych.airflow.form_schema import form_schema
from triptych.airflow.form_titles import title_of
from triptych.blocks import Role, Template
from triptych.blocks.samples import sample_of
from triptych.jobs.spec import config_schema
from triptych.schemas.diagnostics import Json
from triptych.schemas.properties import Leaf, defaults, leaves, value_at
from triptych.schemas.walking import resolved
from triptych.settings import get_settings

_ANY_LOCATION = ["null", "string", "array", "object"]
"""What a source may be written as, and a destination, of which `[]` says that there is none."""
_SOURCES = ("s3://bucket/folder/", "s3://bucket/2026-*/*.csv", "https://example.org/data.csv", "file:///data/in.csv")
_DESTINATIONS = ("s3://bucket/output/", "file:///data/out/")
_ABOUT_SOURCE = (
    "A URI (s3://, gs://, abfs://, https://, file:// of the workers' machines): one object, a folder ending in /, or a "
    'glob. With an Airflow connection: {"uri": "s3://bucket/in/", "conn_id": "aws_default"}; several as a JSON list. '
    "A file of your own: triptych upload FILE says what to put here."
)
"""No code: Airflow shows it with a frame that covers the lines above and below."""
_ABOUT_DESTINATION = (
    'A URI of a folder. With an Airflow connection: {"uri": "s3://bucket/out/", "conn_id": "aws_default"}. Empty: the '
    "output stays in the workspace."
)
_FOR_REST = "For callers of the REST API; leave it empty here, the fields above say the same."


def form_params(template: Template) -> dict[str, Param]:
    """Airflow params by name, in the order and sections that the form shows."""
    source, inputs = _prefilled(template)
    fields = {
        "dataSource": _source("Source", source, is_needed=_needs_source(template)),
        **{
            f"inputs.{name}": _source(f"Input: {name}", inputs[name], is_needed=each is None)
            for name, each in template.inputs.items()
        },
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
    open_ = {name: field for name, field in fields.items() if "section" not in field.schema}
    always = {
        "dataDestination": _location("Destination", template.data_destination, _ABOUT_DESTINATION, _DESTINATIONS),
        "name": Param(None, type=["null", "string"], title="Job name"),
    }
    return {**open_, **always, **{name: field for name, field in fields.items() if name not in open_}}


def _needs_source(template: Template) -> bool:
    return template.blocks[Role.PARTITIONER].needs_source and not template.data_source


def _prefilled(template: Template) -> tuple[Json, Mapping[str, Json]]:
    """Source and side inputs as the template has them; where it has none, by the setting, those of the app's sample."""
    if not get_settings().prefill_samples or not template.path.is_relative_to(template.app.folder):
        return template.data_source, template.inputs
    sample = sample_of(template.app)
    inputs = {name: sample.inputs.get(name) if each is None else each for name, each in template.inputs.items()}
    return sample.source if template.data_source is None else template.data_source, inputs


def _nested_inputs(template: Template) -> Param:
    """All side inputs as one object; where the template names none, the form's only field for them."""
    if template.inputs:
        about, section = _FOR_REST, {"section": "REST", "title": "Inputs (REST)"}
    else:
        about = 'What every chunk reads beside its own bytes, by name: `{"reference": "s3://bucket/genome.fa"}`.'
        section = {"section": "Run", "title": "Side inputs"}
    return Param(None, about, schema={"type": ["object", "null"], **section})


def _source(title: str, default: Json, *, is_needed: bool) -> Param:
    return _location(f"{title} (required)" if is_needed else title, default, _ABOUT_SOURCE, _SOURCES)


def _location(title: str, default: Json, about: str, examples: tuple[str, ...]) -> Param:
    # Examples make Airflow's field one line, in which an object would be `[object Object]`.
    offered = {"examples": list(examples)} if default is None or isinstance(default, str) else {}
    return Param(default, type=_ANY_LOCATION, title=title, description_md=about, **offered)


def _role_fields(template: Template, role: Role, section: str) -> dict[str, Param]:
    schema = template.blocks[role].schema
    values = {**defaults(schema), **template.params.get(role, {})}
    return {
        f"{role}.{leaf.name}": _leaf_field(leaf, schema, value_at(values, leaf.path), section)
        for leaf in leaves(schema)
    }


def _leaf_field(leaf: Leaf, root: Mapping[str, Any], default: Json, section: str) -> Param:
    """Required where nothing else gives a value; a default inside an object counts only once that is there."""
    is_needed = leaf.is_required and default is None
    field = _field(leaf.schema, root, default, None if is_needed else section, title_of(leaf))
    inner = leaf.schema.get("default")
    if default is None and inner is not None and len(leaf.path) > 1:
        field.description = f"{field.description or ''} Default: {inner}.".lstrip()
    return field


def _config_fields(template: Template) -> dict[str, Param]:
    return {
        f"config.{key}": Param(template.config.get(key, default), about, schema=schema)
        for key, default, about, schema in _config_schemas()
    }


@cache
def _config_schemas() -> list[tuple[str, Json, str | None, dict[str, Any]]]:
    """Name, default, description and schema of each key of `config`: the same in every form."""
    root = config_schema()
    fields = [
        (leaf.name, leaf.schema["default"], _field(leaf.schema, root, None, "Run", title_of(leaf)))
        for leaf in leaves(root)
    ]
    return [(key, default, field.description, field.schema) for key, default, field in fields]


def _field(
    described: Mapping[str, Any], root: Mapping[str, Any], default: Json, section: str | None, title: str
) -> Param:
    """One flat field. Nullable: an empty field means "not given", and the full schema judges that in `partition`."""
    schema = form_schema(described, root)
    types = schema.get("type", ["string", "number", "boolean", "array", "object"])
    listed = types if isinstance(types, list) else [types]
    schema["type"] = listed if "null" in listed else ["null", *listed]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    schema["title"] = title if section else f"{title} (required)"
    if section:
        schema["section"] = section
    about = resolved(described, root).get("description")
    # Apart from the schema: Airflow reads a description inside it as a second argument of that name.
    return Param(default, about if isinstance(about, str) else None, schema=schema)


def _nested(template: Template) -> dict[str, Any]:
    """`{partitioner, app, assembler}` or null: a bad nested conf is refused at launch, with its place.

    As the flat fields describe it: the whole schema judges the merged job in `partition`.
    """
    roles = {
        role.value: {**form_schema(block.schema, block.schema), "type": ["object", "null"]}
        for role, block in template.blocks.items()
    }
    return {"type": ["object", "null"], "additionalProperties": False, "properties": roles}
