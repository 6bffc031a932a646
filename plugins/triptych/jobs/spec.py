"""The job spec: what a caller asks for, merged from template, form fields and nested conf, then validated whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from triptych.blocks import Role, Template
from triptych.errors import JobSpecError
from triptych.schemas.diagnostics import dotted, located_errors, nearest_or_all, renamed, schema_errors
from triptych.schemas.files import Kind, own_schema, own_validator
from triptych.schemas.properties import defaults, properties

FIELD_PREFIXES = tuple(f"{name}." for name in (*Role, "config"))
"""What the form's flat fields begin with: `app.`, `config.` ..."""


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
    """Merge template defaults < flat fields < nested conf and validate everything; all errors in one JobSpecError.

    `dates` are the names (`ds`, `logical_date` ...) that locations, and parameters of the template's own, may use.
    """
    errors = [*_shape_errors(conf), *_unknown_fields(template, conf)]
    params = {role: _merge_params(template, role, conf, dates) for role in Role}
    config = {**defaults(config_schema()), **template.config, **_flat(conf, "config"), **_object(conf.get("config"))}
    for role in Role:
        errors += schema_errors(params[role], template.blocks[role].schema, f"params.{role}")
    source = _first(conf.get("dataSource"), template.data_source)
    destination = _first(conf.get("dataDestination"), template.data_destination)
    errors += _shape_errors({"config": config}, {"dataSource": source, "dataDestination": destination})
    if errors:
        raise JobSpecError("\n".join(dict.fromkeys(errors)))
    listed = source if isinstance(source, list) else [source] if source else []
    return JobSpec(
        template=template.id,
        name=str(conf.get("name") or template.id),
        sources=tuple(_location(item, dates) for item in listed),
        destination=_location(destination, dates) if destination else None,
        params=params,
        config=config,
    )


def config_schema() -> Mapping[str, Any]:
    """The part of the job's schema that says what `config` may hold, each key with its default."""
    schema: Mapping[str, Any] = own_schema(Kind.JOB)["$defs"]["config"]
    return schema


def _shape_errors(conf: Mapping[str, Any], locations: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
    """What job.schema.json says of it; an empty location of the caller's means the template's: it comes merged."""
    given = {key: value for key, value in conf.items() if key not in ("dataSource", "dataDestination")}
    found = located_errors({**given, **locations}, own_validator(Kind.JOB))
    return [f"{dotted('', path)}: {text}" for path, text in found]


def _unknown_fields(template: Template, conf: Mapping[str, Any]) -> list[str]:
    """Flat fields (`app.case`) that neither a block of this template nor `config` has."""
    known = {f"config.{key}" for key in properties(config_schema())}
    for role in Role:
        known |= {f"{role}.{key}" for key in properties(template.blocks[role].schema)}
    flat = [key for key in conf if key.startswith(FIELD_PREFIXES) and key not in known]
    return [_renamed(template, key) or f"{key}: no such field.{nearest_or_all(key, known)}" for key in flat]


def _renamed(template: Template, key: str) -> str:
    """What a flat field of a parameter that has another name now is told; empty for any other key."""
    role, _, name = key.partition(".")
    today = renamed(name, template.blocks[Role(role)].schema) if role in tuple(Role) else ""
    return f"{key}: is unknown.{today}" if today else ""


def _merge_params(
    template: Template, role: Role, conf: Mapping[str, Any], dates: Mapping[str, str] | None
) -> dict[str, Any]:
    own = {key: _render_all(value, dates) for key, value in template.params.get(role, {}).items()}
    given = _object(_object(conf.get("params")).get(role))
    # An empty form field arrives as null: it means "not given", unless null is what the schema asks for.
    flat = {k: v for k, v in _flat(conf, role).items() if v is not None}
    return {**defaults(template.blocks[role].schema), **own, **flat, **given}


def _object(value: Any) -> Mapping[str, Any]:
    """The value when it is an object, else an empty one: the schema's own error says what is wrong with it."""
    return value if isinstance(value, Mapping) else {}


def _flat(conf: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    start = f"{prefix}."
    return {key.removeprefix(start): value for key, value in conf.items() if key.startswith(start)}


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
