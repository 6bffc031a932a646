"""The job spec: what a caller asks for, merged from template, form fields and nested conf, then validated whole."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from triptych.blocks import Block, Platform, Role, Template
from triptych.blocks.json_file import value_errors
from triptych.blocks.run_names import fill, names_upstream
from triptych.errors import JobSpecError
from triptych.jobs.locations import Location, listed, read_location, read_sources
from triptych.schemas.descriptors import Place, Side
from triptych.schemas.diagnostics import dotted, located_errors, nearest_or_all, renamed, schema_errors
from triptych.schemas.files import Kind, own_schema, own_validator
from triptych.schemas.locations import ENVIRONMENT, connection_of, is_left_out, is_nothing, location_errors, meaning_of
from triptych.schemas.properties import defaults, leaves, properties, value_at, with_value, without

MOST_PARAMS_BYTES = 128 * 1024 - 64
"""Linux takes 128 KiB for one variable of a process (MAX_ARG_STRLEN, execve(2)), with its name and its end."""
OTHER_NAMES: Mapping[str, str] = {"dataSource": "data_source", "dataDestination": "data_destination"}
"""Keys of a job spec by which callers of other services know ours."""
FIELD_PREFIXES = tuple(f"{name}." for name in (*Role, "config"))
"""What the form's flat fields begin with: `app.`, `config.` ..."""
_INPUT = "inputs."
"""What the keys of side inputs begin with, as flat fields and in messages."""


@dataclass(frozen=True)
class JobSpec:
    """A validated job: `params` has one full object per role, `config` every key.

    `inputs` are the side inputs by name, each as `sources` are.
    """

    template: str
    name: str
    sources: tuple[Location, ...]
    destination: Location | None
    params: Mapping[Role, Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)
    keep_success_days: int | None = None
    keep_failure_days: int | None = None
    """Of its template; None: as the settings say."""
    inputs: Mapping[str, tuple[Location, ...]] = field(default_factory=dict)
    temporary: bool = False
    """Without a destination: whether the output goes to temporary storage, and not to what is kept."""
    max_chunks: int | None = None
    """Of its template; None: as the settings say."""

    def to_json(self) -> dict[str, Any]:
        """As `job.json` holds it; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobSpec:
        """What `to_json` wrote, which is not validated again."""
        destination = data["destination"]
        return cls(
            template=data["template"],
            name=data["name"],
            sources=_read_locations(data["sources"]),
            destination=Location.from_json(destination) if destination else None,
            params={Role(role): params for role, params in data["params"].items()},
            config=data["config"],
            keep_success_days=data.get("keep_success_days"),
            keep_failure_days=data.get("keep_failure_days"),
            inputs={name: _read_locations(source) for name, source in data.get("inputs", {}).items()},
            temporary=data.get("temporary", False),
            max_chunks=data.get("max_chunks"),
        )

    @property
    def reads(self) -> Mapping[str, tuple[Location, ...]]:
        """All that the job reads, by the key of the job spec that names it: `dataSource`, `inputs.<name>`."""
        return {"dataSource": self.sources, **{f"{_INPUT}{name}": source for name, source in self.inputs.items()}}


def build_job_spec(
    template: Template,
    conf: Mapping[str, Any],
    dates: Mapping[str, str] | None = None,
    allowed_connections: Collection[str] | None = (),
    upstreams: Sequence[Mapping[str, str]] = (),
) -> JobSpec:
    """Merge template defaults < flat fields < nested conf and validate everything; all errors in one JobSpecError.

    `dates` are by the names that the template's own text may use (`ds`, `logical_date` ...): what a caller gives is
    data. A caller names the template's connections and `allowed_connections`; any, where that is None.
    `upstreams` are the outputs that started the run, each by the names `upstream.uri` ...: of several each is a source.
    """
    _refuse_unkept(conf, "conf")
    known = {**(dates or {}), **(upstreams[0] if len(upstreams) == 1 else {})}
    conf, errors = respelled(_without_left_out(conf))
    errors += [*_shape_errors(conf), *_unknown_fields(template, conf)]
    params = {role: _merge_params(template, role, conf, known) for role in Role}
    config = _merge_config(template, conf)
    for role, block in template.blocks.items():
        errors += schema_errors(params[role], block.schema, f"params.{role}")
        errors += _size_errors(params[role], block)
    own, given = _own_places(template), _given_places(conf)
    unset = {key for key in given if key.startswith(_INPUT) and given[key] in (None, [])}
    chosen = {key: value for key, value in {**own, **given}.items() if key not in unset}
    places = {
        key: _place(value, own.get(key), known, () if key == Side.DESTINATION else upstreams)
        for key, value in chosen.items()
    }
    source, destination = places[Side.SOURCE], places[Side.DESTINATION]
    inputs = {key.removeprefix(_INPUT): value for key, value in places.items() if key.startswith(_INPUT)}
    errors += _input_errors(template, inputs)
    whole = {"dataSource": source, "dataDestination": destination, "inputs": inputs}
    errors += _shape_errors({"config": config}, whole) or _location_errors(
        template, own, given, places, allowed_connections
    )
    if source is None and template.blocks[Role.PARTITIONER].needs_source and config.get("allowEmpty") is not True:
        errors.append(_no_source(template))
    if errors:
        raise JobSpecError("\n".join(dict.fromkeys(errors)))
    place = meaning_of(destination).place if destination else Place.NONE
    return JobSpec(
        template=template.id,
        name=str(conf.get("name") or template.id),
        sources=read_sources(source),
        destination=None if place else read_location(destination),
        params=params,
        config=config,
        keep_success_days=template.keep_success_days,
        keep_failure_days=template.keep_failure_days,
        inputs={name: read_sources(each) for name, each in inputs.items()},
        temporary=place is Place.TEMPORARY,
        max_chunks=template.max_chunks,
    )


def block_params(block: Block, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters for one block alone, with its defaults; JobSpecError as a job spec with them would raise."""
    params = {**defaults(block.schema), **given}
    _refuse_unkept(params, f"params.{block.role}")
    if errors := schema_errors(params, block.schema, f"params.{block.role}"):
        raise JobSpecError("\n".join(errors))
    return params


def source_locations(value: Any) -> tuple[Location, ...]:
    """The locations of a `dataSource` alone, any connection allowed; JobSpecError as a job spec would raise."""
    _refuse_unkept(value, "dataSource")
    errors = _shape_errors({}, {"dataSource": value})
    errors = errors or [f"{dotted('dataSource', path)}: {text}" for path, text in location_errors(value, Side.SOURCE)]
    if errors:
        raise JobSpecError("\n".join(errors))
    return read_sources(value)


def config_schema() -> Mapping[str, Any]:
    """The part of the job's schema that says what `config` may hold, each key with its default."""
    schema: Mapping[str, Any] = own_schema(Kind.JOB)["$defs"]["config"]
    return schema


def _refuse_unkept(value: Any, root: str) -> None:
    """JobSpecError for what no file and no database keeps, before anything reads it: too deep, too long, no text."""
    if errors := value_errors(value, root):
        raise JobSpecError("\n".join(errors))


def _shape_errors(conf: Mapping[str, Any], locations: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
    """What job.schema.json says of it; of `locations`, as they are after merging."""
    given = {key: value for key, value in conf.items() if key not in (Side.SOURCE, Side.DESTINATION)}
    found = located_errors({**given, **locations}, own_validator(Kind.JOB))
    return [f"{dotted('', path)}: {text}" for path, text in found]


def _own_places(template: Template) -> dict[str, Any]:
    """The template's locations by their keys: `dataSource`, `inputs.reference` ..."""
    inputs = {f"{_INPUT}{name}": source for name, source in template.inputs.items()}
    return {Side.SOURCE.value: template.data_source, Side.DESTINATION.value: template.data_destination, **inputs}


def _given_places(conf: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's, likewise, of those that are given.

    An emptied field of the form is none of the inputs; null in `inputs` says that none is wanted.
    """
    given = {key: _typed(key, conf[key]) for key in (Side.SOURCE.value, Side.DESTINATION.value) if key in conf}
    flat = {key: _typed(key, source) for key, source in conf.items() if key.startswith(_INPUT) and source}
    nested = {f"{_INPUT}{name}": source for name, source in _object(conf.get("inputs")).items()}
    return {**given, **flat, **nested}


def _typed(key: str, value: Any) -> Any:
    """What somebody typed into a field of one line: JSON where it begins as an object or a list does."""
    if not (isinstance(value, str) and value.lstrip()[:1] in ("{", "[")):
        return value
    try:
        typed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    _refuse_unkept(typed, key)
    return typed


def _without_left_out(conf: Mapping[str, Any]) -> dict[str, Any]:
    """The conf without sources, destinations and side inputs that say nothing."""
    places = {*OTHER_NAMES, *OTHER_NAMES.values()}
    given = {key: value for key, value in conf.items() if not (key in places and is_left_out(value))}
    if isinstance(inputs := conf.get("inputs"), Mapping):
        given["inputs"] = {name: source for name, source in inputs.items() if not is_left_out(source)}
    return given


def _input_errors(template: Template, inputs: Mapping[str, Any]) -> list[str]:
    """Names that the template's scripts do not read, and those that nobody named a source for."""
    unknown = [name for name in inputs if name not in template.inputs] if template.inputs else []
    errors = [f"{_INPUT}{name}: is unknown.{nearest_or_all(name, template.inputs)}" for name in unknown]
    return errors + [
        f"{_INPUT}{name}: is missing: {template.id} has no default for it. Name a source (`--input {name}=URI`), or "
        "null, where its scripts do without."
        for name, source in inputs.items()
        if name in template.inputs and not source
    ]


def respelled(conf: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The conf with `data_source` and `data_destination` under our names for them; what is there twice."""
    made, errors = dict(conf), []
    for side, other in OTHER_NAMES.items():
        if other in made:
            if side in made:
                errors.append(f"{other}: is the same as {side}: give one of them.")
            made[side] = made.pop(other)
    return made, errors


def _place(chosen: Any, own: Any, known: Mapping[str, str], upstreams: Sequence[Mapping[str, str]]) -> Any:
    """The caller's location as it is, or the template's own with what the run knows in it; None for none.

    A caller who gives an empty one wants none, whatever the template says. The form gives the template's own back.
    What names an output that started the run is there once for each of them.
    """
    if is_nothing(chosen):
        return None
    if chosen != own:
        return chosen
    if len(upstreams) < 2 or not names_upstream(own):
        return fill(own, known)
    once: Sequence[Mapping[str, str]] = ({},)
    return [
        fill(item, {**known, **each}) for item in listed(own) for each in (upstreams if names_upstream(item) else once)
    ]


def _location_errors(
    template: Template,
    own: Mapping[str, Any],
    given: Mapping[str, Any],
    places: Mapping[str, Any],
    allowed: Collection[str] | None,
) -> list[str]:
    """What is wrong with locations of the right shape; with connections that the caller may not name."""
    found = [
        f"{dotted(key, path)}: {text}"
        for key, value in places.items()
        for path, text in location_errors(value, _side(key))
    ]
    if found or allowed is None:
        return found
    known = {connection_of(item) for value in own.values() for item in listed(value)}
    known |= {*template.connections, *allowed, None}
    return [
        _not_listed(template, key if len(listed(value)) == 1 else f"{key}.{index}", name, known)
        for key, value in places.items()
        if key in given and given[key] != own.get(key)
        for index, item in enumerate(listed(value))
        if (name := connection_of(item)) not in known
    ]


def _side(key: str) -> Side:
    return Side.INPUT if key.startswith(_INPUT) else Side(key)


def _not_listed(template: Template, place: str, name: str | None, known: Collection[str | None]) -> str:
    what = f"the connection {name!r} is none that a caller may name"
    if name == ENVIRONMENT:
        what = "names no connection, and a caller may not use the worker's own credentials"
    names = ", ".join(sorted(filter(None, known))) or "none"
    return (
        f"{place}: {what}. The template's author can list {name!r} in `connections` of {template.path.name}, an "
        f"operator in [triptych] allowed_connections. Listed for {template.id}: {names}."
    )


def _unknown_fields(template: Template, conf: Mapping[str, Any]) -> list[str]:
    """Flat fields (`app.case`) that neither a block of this template nor `config` has."""
    known = {f"config.{key}" for key in properties(config_schema())}
    for role, block in template.blocks.items():
        known |= {f"{role}.{key}" for key in (*properties(block.schema), *(leaf.name for leaf in leaves(block.schema)))}
    flat = [key for key in conf if key.startswith(FIELD_PREFIXES) and key not in known]
    return [_renamed(template, key) or f"{key}: no such field.{nearest_or_all(key, known)}" for key in flat]


def _renamed(template: Template, key: str) -> str:
    """The error for a flat field of a parameter that has another name now; empty for any other key."""
    role, _, name = key.partition(".")
    today = renamed(name, template.blocks[Role(role)].schema) if role in tuple(Role) else ""
    return f"{key}: is unknown.{today}" if today else ""


def _merge_params(template: Template, role: Role, conf: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    own, given = template.params.get(role, {}), _object(_object(conf.get("params")).get(role))
    schema = template.blocks[role].schema
    paths = {leaf.name: leaf.path for leaf in leaves(schema)}
    # An empty form field arrives as null: it means "not given", unless null is what the schema asks for.
    flat = {paths.get(k, (k,)): v for k, v in _flat(conf, role).items() if v is not None}
    # The form gives the template's own values back.
    changed = {path: value for path, value in flat.items() if value_at(own, path) != value}
    rest = {key: value for key, value in own.items() if (key,) not in changed and key not in given}
    merged = {**defaults(schema), **fill(without(rest, changed), known)}
    for path in sorted(changed, key=len):  # A whole object before what is in it.
        merged = with_value(merged, path, changed[path])
    return {**merged, **given}


def _merge_config(template: Template, conf: Mapping[str, Any]) -> dict[str, Any]:
    """Every key; as with parameters, an empty form field means "not given"."""
    flat = {key: value for key, value in _flat(conf, "config").items() if value is not None}
    return {**defaults(config_schema()), **template.config, **flat, **_object(conf.get("config"))}


def _size_errors(params: Mapping[str, Any], block: Block) -> list[str]:
    """That of parameters which the kernel would not hand to the block's script: it gets them as one variable."""
    size = len(json.dumps(params, ensure_ascii=False).encode()) if block.platform is Platform.DOCKER else 0
    if size <= MOST_PARAMS_BYTES:
        return []
    largest = max(params, key=lambda name: len(json.dumps(params[name], ensure_ascii=False)))
    return [
        f"params.{block.role}: are {size:,} bytes as JSON, most of it `{largest}`; a script can be given "
        f"{MOST_PARAMS_BYTES:,}, in one environment variable. Put the data into a source, or a file of the app."
    ]


def _no_source(template: Template) -> str:
    return (
        f"dataSource: is missing. The partitioner {template.blocks[Role.PARTITIONER].tag} cuts a source: name one "
        "(`--source` on the command line), or set config.allowEmpty where a job without work is right."
    )


def _read_locations(data: Any) -> tuple[Location, ...]:
    """What `asdict` made of locations."""
    return tuple(map(Location.from_json, data))


def _object(value: Any) -> Mapping[str, Any]:
    """The value when it is an object, else an empty one: the schema's own error says what is wrong with it."""
    return value if isinstance(value, Mapping) else {}


def _flat(conf: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    start = f"{prefix}."
    return {key.removeprefix(start): value for key, value in conf.items() if key.startswith(start)}
