"""The job spec: what a caller asks for, merged from template, form fields and nested conf, then validated whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from triptych.blocks import Role, Template
from triptych.errors import JobSpecError
from triptych.schemas.faults import nearest_or_all, renamed, schema_faults

_LOCATION: Mapping[str, Any] = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "required": ["uri"],
            "additionalProperties": False,
            "properties": {
                "uri": {"type": "string", "minLength": 1},
                "conn_id": {"type": ["string", "null"]},
            },
        },
        {
            "type": "object",
            "required": ["dataSourceDescriptor"],
            "additionalProperties": False,
            "properties": {
                "dataSourceDescriptor": {"type": "string"},
                "params": {"type": "object"},
            },
        },
    ]
}
SOURCE_SCHEMA: Mapping[str, Any] = {
    "anyOf": [{"type": "null"}, _LOCATION, {"type": "array", "items": _LOCATION, "minItems": 1}]
}
DESTINATION_SCHEMA: Mapping[str, Any] = {"anyOf": [{"type": "null"}, _LOCATION]}

CONFIG_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "taskTimeout": {
            "type": ["integer", "null"],
            "minimum": 1,
            "default": None,
            "title": "Timeout of a chunk (s)",
            "description": "Seconds one chunk may run; the app's own when empty.",
        },
        "jobTimeout": {
            "type": "integer",
            "minimum": 1,
            "default": 86400,
            "title": "Timeout of the job (s)",
            "description": "Seconds after the start beyond which no chunk is begun.",
        },
        "isTestJob": {
            "type": "boolean",
            "default": False,
            "title": "Test job",
            "description": "Run the first chunk only.",
        },
        "chunksPerTask": {
            "type": ["string", "integer"],
            "pattern": "^(auto|[1-9][0-9]*)$",
            "minimum": 1,
            "default": "auto",
            "title": "Chunks per task",
            "description": "Chunks that one task runs in one container: a number, or auto.",
        },
        "maxConcurrency": {
            "type": ["integer", "null"],
            "minimum": 1,
            "default": None,
            "title": "Most tasks",
            "description": "Spread the chunks over at most this many tasks.",
        },
        "toleratedFailurePercentage": {
            "type": "number",
            "minimum": 0,
            "maximum": 100,
            "default": 0,
            "title": "Tolerated failures (%)",
            "description": "The job succeeds while no more than this share of its chunks failed.",
        },
    },
}


@dataclass(frozen=True)
class Location:
    """Where data is: a URI (a prefix ending in `/`, a glob, or one object) and the connection that opens it."""

    uri: str
    conn_id: str | None = None


@dataclass(frozen=True)
class JobSpec:
    """A validated job: `params` has one full object per role, `config` every key."""

    template: str
    name: str
    sources: tuple[Location, ...]
    destination: Location | None
    params: Mapping[Role, Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobSpec:
        destination = data["destination"]
        return cls(
            template=data["template"],
            name=data["name"],
            sources=tuple(Location(**source) for source in data["sources"]),
            destination=Location(**destination) if destination else None,
            params={Role(role): params for role, params in data["params"].items()},
            config=data["config"],
        )


def build_job_spec(template: Template, conf: Mapping[str, Any], dates: Mapping[str, str] | None = None) -> JobSpec:
    """Merge template defaults < flat fields < nested conf and validate everything; all faults in one JobSpecError.

    `dates` are the names (`ds`, `logical_date` ...) that locations, and parameters of the template's own, may use.
    """
    problems = _unknown_keys(template, conf)
    params = {role: _merge_params(template, role, conf, dates) for role in Role}
    config = _with_defaults(CONFIG_SCHEMA, {**template.config, **_flat(conf, "config"), **(conf.get("config") or {})})
    for role in Role:
        problems += schema_faults(params[role], template.blocks[role].schema, f"params.{role}")
    problems += schema_faults(config, CONFIG_SCHEMA, "config")
    source = _first(conf.get("dataSource"), template.data_source)
    destination = _first(conf.get("dataDestination"), template.data_destination)
    problems += schema_faults(source, SOURCE_SCHEMA, "dataSource")
    problems += schema_faults(destination, DESTINATION_SCHEMA, "dataDestination")
    if problems:
        raise JobSpecError("\n".join(problems))
    listed = source if isinstance(source, list) else [source] if source else []
    return JobSpec(
        template=template.id,
        name=str(conf.get("name") or template.id),
        sources=tuple(_location(item, dates) for item in listed),
        destination=_location(destination, dates) if destination else None,
        params=params,
        config=config,
    )


def leaves(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The properties of an object schema, by name: one form field each."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    return dict(properties)


def _unknown_keys(template: Template, conf: Mapping[str, Any]) -> list[str]:
    known = {"name", "dataSource", "dataDestination", "params", "config"}
    known |= {f"config.{key}" for key in leaves(CONFIG_SCHEMA)}
    for role in Role:
        known |= {f"{role}.{key}" for key in leaves(template.blocks[role].schema)}
    problems = [_renamed(template, key) or _unknown(key, known) for key in conf if key not in known]
    nested = conf.get("params")
    if nested is not None and not isinstance(nested, Mapping):
        return [*problems, "params: must be an object with the keys partitioner, app, assembler."]
    return problems + [_unknown(f"params.{role}", list(Role)) for role in nested or {} if role not in tuple(Role)]


def _renamed(template: Template, key: str) -> str:
    """What a flat field of a parameter that has another name now is told; empty for any other key."""
    role, _, name = key.partition(".")
    told = renamed(name, template.blocks[Role(role)].schema) if role in tuple(Role) else ""
    return f"{key}: is unknown.{told}" if told else ""


def _unknown(key: str, known: Any) -> str:
    return f"{key}: no such key in a job spec.{nearest_or_all(key.removeprefix('params.'), known)}"


def _merge_params(
    template: Template, role: Role, conf: Mapping[str, Any], dates: Mapping[str, str] | None
) -> dict[str, Any]:
    own = {key: _render_all(value, dates) for key, value in template.params.get(role, {}).items()}
    nested = conf.get("params")
    given = nested.get(role) or {} if isinstance(nested, Mapping) else {}
    # An empty form field arrives as null: it means "not given", unless null is what the schema asks for.
    flat = {k: v for k, v in _flat(conf, role).items() if v is not None}
    return _with_defaults(template.blocks[role].schema, {**own, **flat, **given})


def _flat(conf: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    start = f"{prefix}."
    return {key.removeprefix(start): value for key, value in conf.items() if key.startswith(start)}


def _with_defaults(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {key: leaf["default"] for key, leaf in leaves(schema).items() if "default" in leaf}
    return {**defaults, **given}


def _first(*values: Any) -> Any:
    return next((value for value in values if value not in (None, "", [])), None)


def _location(value: Any, dates: Mapping[str, str] | None) -> Location:
    if isinstance(value, str):
        return Location(_render(value, dates))
    if "uri" in value:
        return Location(_render(value["uri"], dates), value.get("conn_id"))
    build = _DESCRIPTORS.get(str(value["dataSourceDescriptor"]).lower())
    if build is None:
        msg = f"dataSourceDescriptor {value['dataSourceDescriptor']!r} is none of {', '.join(_DESCRIPTORS)}."
        raise JobSpecError(msg)
    params = value.get("params") or {}
    try:
        return Location(_render(build(params), dates), params.get("conn_id") or params.get("connId"))
    except KeyError as missing:
        msg = f"dataSourceDescriptor {value['dataSourceDescriptor']!r}: params.{missing.args[0]} is missing."
        raise JobSpecError(msg) from None


_DESCRIPTORS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "s3": lambda p: f"s3://{p['bucket']}/{p.get('key', p.get('prefix', ''))}",
    "gcs": lambda p: f"gs://{p['bucket']}/{p.get('key', p.get('prefix', ''))}",
    "azure": lambda p: f"abfs://{p['container']}/{p.get('key', p.get('prefix', ''))}",
    "http": lambda p: str(p["url"]),
    "file": lambda p: f"file://{p['path']}",
}


def _render_all(value: Any, dates: Mapping[str, str] | None) -> Any:
    if isinstance(value, str):
        return _render(value, dates)
    if isinstance(value, list):
        return [_render_all(item, dates) for item in value]
    if isinstance(value, Mapping):
        return {key: _render_all(item, dates) for key, item in value.items()}
    return value


def _render(text: str, dates: Mapping[str, str] | None) -> str:
    """Fill `{{ ds }}` and its like, in a sandbox that knows the run's dates and nothing else of Airflow."""
    if "{{" not in text:
        return text
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    try:
        template = SandboxedEnvironment(undefined=jinja2.StrictUndefined).from_string(text)
        return template.render(dates or {})
    except jinja2.TemplateError as error:
        known = ", ".join(dates or {}) or "none, since this run has no logical date"
        msg = f"{json.dumps(text)}: {error}. Names that can be used here: {known}."
        raise JobSpecError(msg) from None
