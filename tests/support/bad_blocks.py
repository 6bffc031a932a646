"""The corpus of bad and old-draft blocks: what one team's folder may hold that must not harm another team's DAGs.

Each is a folder that differs from a sound app in one thing. `BAD` says which words the reason must hold, `SOUND` which
parameters the schema must take and refuse: valid JSON Schema of a draft that Airflow's form does not speak.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DRAFT_3 = "http://json-schema.org/draft-03/schema#"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_6 = "http://json-schema.org/draft-06/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"


@dataclass(frozen=True)
class Bad:
    """One mistake: a file's text or JSON, or what makes something else of it."""

    says: str
    """What the reason says."""
    file: str = "schema.json"
    content: Any = None
    make: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Sound:
    """A schema that is no mistake; the parameters that it takes, and that it refuses."""

    schema: Mapping[str, Any]
    takes: tuple[Mapping[str, Any], ...] = ({},)
    refuses: tuple[Mapping[str, Any], ...] = field(default=())


def _schema(**level: Any) -> dict[str, Any]:
    return {"properties": {"level": level}}


def _about(**changes: Any) -> dict[str, Any]:
    return {"name": "NAME", "version": "1.0", "platform_config": {"container": "python:3.11-slim"}, **changes}


def _nested(depth: int) -> str:
    return '{"properties": {"a": {"default": ' + "[" * depth + "]" * depth + "}}}"


def _folder(path: Path) -> None:
    path.mkdir()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _bytes(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


_ALL_MINUTES = ",".join(map(str, range(60)))
_LONG_CRON = (
    f"{_ALL_MINUTES} {','.join(map(str, range(24)))} {','.join(map(str, range(1, 32)))} 1,2,3,4,5,6,7 1,2,3,4,5"
)

BAD: Mapping[str, Bad] = {
    # JSON that no reader or database keeps, and files that are none.
    "manifest_fifo": Bad("no regular file", "manifest.json", make=os.mkfifo),
    "schema_fifo": Bad("no regular file", make=os.mkfifo),
    "template_fifo": Bad("no regular file", "template.json", make=os.mkfifo),
    "manifest_device": Bad("no regular file", "manifest.json", make=_device),
    "schema_device": Bad("no regular file", make=_device),
    "schema_folder": Bad("Is a directory", make=_folder),
    "schema_circle": Bad("cannot be read", make=_circle),
    "schema_latin1": Bad("is no UTF-8", make=_bytes(b'{"title": "caf\xe9"}')),
    "schema_utf16": Bad("is no UTF-8", make=_bytes("{}".encode("utf-16"))),
    "schema_large": Bad("larger than", content=" " * (1 << 20) + "{}"),
    "schema_cut": Bad("is no JSON", content='{"properties": {'),
    "schema_list": Bad("must be a JSON object", content="[]"),
    "schema_deep": Bad("deep", content=_nested(100_000)),
    "schema_rather_deep": Bad("deep", content=_nested(70)),
    "manifest_deep": Bad("deep", "manifest.json", "[" * 100_000),
    "schema_digits": Bad("must lie within", content='{"properties": {"a": {"minimum": ' + "9" * 5000 + "}}}"),
    "schema_64_bits": Bad("must lie within", content=_schema(default=2**64)),
    "schema_1e400": Bad("is 1e400", content='{"properties": {"a": {"default": 1e400}}}'),
    "schema_nan": Bad("is NaN", content='{"properties": {"a": {"default": NaN}}}'),
    "schema_infinity": Bad("is -Infinity", content='{"properties": {"a": {"default": -Infinity}}}'),
    "schema_nul": Bad("holds a NUL", content='{"properties": {"a": {"description": "a\\u0000b"}}}'),
    "schema_nul_name": Bad("holds a NUL", content='{"properties": {"a\\u0000b": {}}}'),
    "schema_surrogate": Bad("surrogate", content='{"properties": {"a": {"title": "\\ud83d"}}}'),
    "schema_twice": Bad("there twice", content='{"properties": {"a": {"type": "string", "type": "integer"}}}'),
    # Manifests.
    "manifest_twice": Bad("there twice", "manifest.json", _about(Version="2.0")),
    "manifest_no_version": Bad("is missing", "manifest.json", {"name": "NAME", "platform_config": {"container": "x"}}),
    "manifest_1e400": Bad("is 1e400", "manifest.json", '{"name": "NAME", "version": "1.0", "task_timeout": 1e400}'),
    "manifest_newline": Bad("letters, digits", "manifest.json", _about(name="NAME\n")),
    "entrypoint_long": Bad("too long", "manifest.json", _about(entrypoint="x" * 5000)),
    "entrypoint_nul": Bad("holds a NUL", "manifest.json", _about(entrypoint="a\0b")),
    "entrypoint_out": Bad("leads out", "manifest.json", _about(entrypoint="../../other/app/main.py")),
    "entrypoint_gone": Bad("does not exist", "manifest.json", _about(entrypoint="mian.py")),
    "image_capitals": Bad("no image reference", "manifest.json", _about(platform_config={"container": "Python:3"})),
    "image_spaces": Bad("no image reference", "manifest.json", _about(platform_config={"container": "python 3"})),
    "image_url": Bad("no image reference", "manifest.json", _about(platform_config={"container": "http://x/y"})),
    "retries_negative": Bad("at least 0", "manifest.json", _about(retries=-1)),
    "retries_many": Bad("at most 1000", "manifest.json", _about(retries=2**40)),
    "cores_many": Bad("at most 4096", "manifest.json", _about(device_requirements={"min_cpu": 1e300})),
    "gpus_mixed": Bad("ids of devices", "manifest.json", _about(device_requirements={"gpu": ["GPU-1", "NVIDIA L4"]})),
    "memory_text": Bad("must be a number", "manifest.json", _about(device_requirements={"min_memory": "2g"})),
    # Schemas that are none, or that no value can be judged by.
    "type_typo": Bad("Did you mean 'string'", content=_schema(type="strin")),
    "type_number": Bad("not valid JSON Schema", content=_schema(type=7)),
    "properties_list": Bad("not valid JSON Schema", content={"properties": ["a"]}),
    "property_text": Bad("not valid JSON Schema", content={"properties": {"level": "integer"}}),
    "required_text": Bad("not valid JSON Schema", content={"required": "level", **_schema()}),
    "minimum_text": Bad("not valid JSON Schema", content=_schema(minimum="1")),
    "enum_text": Bad("not valid JSON Schema", content=_schema(enum="a, b")),
    "pattern_bracket": Bad("no regular expression", content=_schema(pattern="[a-")),
    "pattern_long": Bad("longer than", content=_schema(pattern="a" * 2000)),
    "draft_4_today": Bad("not valid JSON Schema", content=_schema(minimum=1, exclusiveMinimum=True)),
    "draft_7_today": Bad("not valid JSON Schema", content=_schema(items=[{"type": "string"}])),
    "draft_inside": Bad("at the top only", content=_schema(**{"$schema": DRAFT_7})),
    "schema_not_object": Bad("must be 'object'", content={"type": "array"}),
    "ref_url": Bad("None is fetched", content=_schema(**{"$ref": "http://127.0.0.1:1/level.json"})),
    "ref_file": Bad("None is fetched", content=_schema(**{"$ref": "file:///etc/passwd"})),
    "ref_nowhere": Bad("not in this file", content=_schema(**{"$ref": "#/$defs/level"})),
    "ref_itself": Bad("refers to itself", content=_schema(**{"$ref": "#/properties/level"})),
    "ref_root": Bad("refers to itself", content={"allOf": [{"$ref": "#"}], **_schema()}),
    "ref_doubling": Bad(
        "steps",
        content={
            "$defs": {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)} | {"a40": False},
            **_schema(**{"$ref": "#/$defs/a0", "default": 1}),
        },
    ),
    "schemas_many": Bad("more than 2,000", content={"properties": {f"p{n}": {} for n in range(3000)}}),
    "names_slow": Bad("unbounded", content={"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": False}),
    "default_low": Bad("breaks its own rule", content=_schema(type="integer", minimum=1, default=0)),
    "default_slow": Bad("breaks its own rule", content=_schema(pattern="^(a+)+$", default="a" * 5000 + "b")),
    # Templates.
    "cron_fields": Bad("Exactly 5", "template.json", {"schedule": "0 6 * *"}),
    "cron_range": Bad("$.schedule", "template.json", {"schedule": "61 * * * *"}),
    "cron_never": Bad("failed to find", "template.json", {"schedule": "0 0 31 2 *"}),
    "cron_long": Bad("more than 1,000 characters in words", "template.json", {"schedule": _LONG_CRON}),
    "preset_typo": Bad("$.schedule", "template.json", {"schedule": "@dayly"}),
    "schedule_empty": Bad("$.schedule", "template.json", {"schedule": ""}),
    "schedule_number": Bad("must be text or a list", "template.json", {"schedule": 5}),
    "assets_none": Bad("$.schedule", "template.json", {"schedule": []}),
    "asset_uri": Bad("must contain a bucket", "template.json", {"schedule": ["s3://"]}),
    "asset_long": Bad("1500", "template.json", {"schedule": ["s3://a/" + "x" * 2000]}),
    "config_type": Bad("must be a whole number", "template.json", {"config": {"taskTimeout": "long"}}),
    "config_negative": Bad("at least 0", "template.json", {"config": {"maxTaskRetries": -1}}),
    "config_typo": Bad("Did you mean 'taskTimeout'", "template.json", {"config": {"taskTimout": 1}}),
    "params_type": Bad("must be a whole number", "template.json", {"params": {"partitioner": {"replicas": "many"}}}),
    "app_gone": Bad("is no app here", "template.json", {"app": "nobody"}),
    "engine_gone": Bad("Did you mean 'rows'", "template.json", {"partitioner": "row"}),
    "descriptor_none": Bad(
        "is no descriptor", "template.json", {"dataSource": {"dataSourceDescriptor": "ftp", "params": {}}}
    ),
    "descriptor_short": Bad("missing", "template.json", {"dataSource": {"dataSourceDescriptor": "s3", "params": {}}}),
    "source_uri": Bad("is no URI", "template.json", {"dataSource": "http://[::1"}),
}

SOUND: Mapping[str, Sound] = {
    "draft_3_divisible": Sound(
        {"$schema": DRAFT_3, **_schema(type="integer", divisibleBy=2, default=4)}, ({"level": 2},), ({"level": 3},)
    ),
    "draft_3_required": Sound({"$schema": DRAFT_3, **_schema(type="any", required=True)}, ({"level": 1},), ({},)),
    "draft_4_strict": Sound(
        {"$schema": DRAFT_4, **_schema(type="number", minimum=0, exclusiveMinimum=True, default=1)},
        ({"level": 0.1},),
        ({"level": 0},),
    ),
    "draft_4_loose": Sound(
        {"$schema": DRAFT_4, **_schema(type="number", maximum=1, exclusiveMaximum=False)},
        ({"level": 1},),
        ({"level": 2},),
    ),
    "draft_4_id": Sound({"$schema": DRAFT_4, "id": "http://x.example/a", **_schema(type="integer")}, ({"level": 1},)),
    "draft_6_const": Sound({"$schema": DRAFT_6, **_schema(const=5, default=5)}, ({"level": 5},), ({"level": 4},)),
    "draft_7_tuple": Sound(
        {
            "$schema": DRAFT_7,
            **_schema(type="array", items=[{"type": "string"}, {"type": "integer"}], additionalItems=False),
        },
        ({"level": ["a", 1]},),
        ({"level": [1, "a"]}, {"level": ["a", 1, 2]}),
    ),
    "draft_7_tuple_default": Sound(
        {"$schema": DRAFT_7, **_schema(items=[{"type": "string"}], default=["a", 1])}, ({},), ({"level": [1]},)
    ),
    "draft_7_if": Sound(
        {"$schema": DRAFT_7, "if": {"required": ["a"]}, "then": {"required": ["b"]}, "properties": {"a": {}, "b": {}}},
        ({"a": 1, "b": 1},),
        ({"a": 1},),
    ),
    "draft_7_dependencies": Sound(
        {"$schema": DRAFT_7, "dependencies": {"a": ["b"]}, "properties": {"a": {}, "b": {}}}, ({"b": 1},), ({"a": 1},)
    ),
    "draft_2019_recursive": Sound(
        {"$schema": DRAFT_2019, "properties": {"in": {"$recursiveRef": "#"}, "level": {"type": "integer"}}},
        ({"in": {"in": {"level": 1}}},),
        ({"in": {"in": {"level": "a"}}},),
    ),
    "today_tuple": Sound(
        _schema(prefixItems=[{"type": "string"}], items=False), ({"level": ["a"]},), ({"level": [1]},)
    ),
    "definitions": Sound(
        {"definitions": {"level": {"type": "integer", "minimum": 1}}, **_schema(**{"$ref": "#/definitions/level"})},
        ({"level": 1},),
        ({"level": 0},),
    ),
    "tree": Sound(
        {
            "properties": {
                "tree": {"properties": {"left": {"$ref": "#/properties/tree"}}, "additionalProperties": False}
            }
        },
        ({"tree": {"left": {"left": {}}}},),
        ({"tree": {"left": {"rite": {}}}},),
    ),
    "anything": Sound({"properties": {"level": True}}, ({"level": [None]},)),
    "nothing": Sound({"properties": {"level": False}}, ({},), ({"level": 1},)),
    "slow_pattern": Sound(_schema(pattern="^(a+)+$"), ({"level": "aaa"},), ({"level": "a" * 5000 + "b"},)),
    "letters": Sound(_schema(pattern=r"^\p{Lu}+$"), ({"level": "ÄÖ"},), ({"level": "äö"},)),
    "slow_names": Sound(
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, ({"aa": 1},), ({"b": 1},)
    ),
    "unknown_draft": Sound({"$schema": "http://127.0.0.1:1/mine.json", **_schema(type="integer")}, ({"level": 1},)),
    "byte_order_mark": Sound({"title": "\ufeff", **_schema(format="date")}, ({"level": "2026-01-02"},)),
    "rather_deep": Sound(json.loads(_nested(55)), ({},)),
    "html": Sound(_schema(description="<script>alert(1)</script> `|` {{ ds }} \x1b[31m"), ({},)),
    "wide": Sound({"properties": {f"p{n}": {"type": "integer", "default": n} for n in range(300)}}, ({"p7": 1},)),
    "many_defaults": Sound(_schema(enum=list(range(5000)), default=4999), ({"level": 0},), ({"level": -1},)),
}


def write_bad(include: Path, name: str) -> None:
    """The bad block of this name as `include/apps/<name>`."""
    bad = BAD[name]
    folder = _write_app(include, name)
    path = folder / bad.file
    path.unlink(missing_ok=True)
    if bad.make:
        bad.make(path)
        return
    content = bad.content
    if isinstance(content, Mapping):
        own = {"partitioner": "replicate", **content} if bad.file == "template.json" else content
        content = json.dumps(own)
    path.write_text(content.replace("NAME", name), encoding="utf-8")


def write_sound(include: Path, name: str) -> None:
    """The sound block of this name as `include/apps/<name>`."""
    (_write_app(include, name) / "schema.json").write_text(json.dumps(SOUND[name].schema), encoding="utf-8")


def write_healthy(include: Path, name: str) -> None:
    """An app as everybody's: whatever lies beside it, it must load."""
    (_write_app(include, name) / "schema.json").write_text(json.dumps(_schema(type="integer", default=1)))


def _write_app(include: Path, name: str) -> Path:
    folder = include / "apps" / name
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.py").write_text("")
    (folder / "manifest.json").write_text(json.dumps(_about(name=name)))
    (folder / "template.json").write_text(json.dumps({"partitioner": "replicate"}))
    return folder
