"""Generators: sound files of ours with a few odd edits, and what has hurt readers of JSON, URIs and names before."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

RAW = {
    "@deep list@": "[" * 50_000 + "]" * 50_000,
    "@deep object@": '{"a":' * 3_000 + "1" + "}" * 3_000,
    "@long number@": "1" * 5_000,
    "@beyond floats@": "1e400",
    "@minus nothing@": "-0.0",
    "@not a number@": "NaN",
    "@infinity@": "-Infinity",
    "@half a pair@": '"\\ud800"',
    "@nothing at all@": '"\\u0000"',
}
"""What no value of Python's writes: the text stands in the file in place of its key."""
GROWN = ("@deep 900@", "@deep 5000@", "@digits 5000@")
"""What the worker puts a nested, or a long, value for: these are too deep to be shown or sent."""
ODD = [
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\0b",
    "\0",
    "\ud800",
    "a\udcffb",
    "\x1b]0;owned\x07",
    "\u202etxt.exe",
    "x" * 5_000,
    "[red]x[/red]",
    ":date:",
    "<script>",
    "{{ ds }}",
    "{{ 'x' * 9 }}",
    "{% for i in range(9) %}{% endfor %}",
    "{{",
    "}}",
    "%s",
    "{}",
    "$HOME",
    "`id`",
    "a\nb",
    "\r\n",
    "1e400",
    "NaN",
    "null",
    "true",
    "-1",
    "s3://[",
    "file://host/a",
    "file:///a?b#c",
    "gs://b/c",
    "ftp://a/b",
    "http://127.0.0.1:9/x",
    "@daily",
    "* * * * *",
    "99 99 * * *",
    "@never",
    "^(a+)+$",
    "a" * 40 + "!",
    "(",
    "\\",
    "(?P<x>",
    "python:3.11-slim",
    "python@sha256:0",
    "UPPER/CASE:tag",
    "passthrough",
    "passthrough@1",
    "passthrough@1.0.0.0",
    "@",
    "@1",
    "main.py",
]
SURROGATES = st.integers(0xD800, 0xDFFF).map(chr)
letters = st.characters(codec="utf-8") | SURROGATES
texts = st.sampled_from(ODD) | st.lists(letters, max_size=20).map("".join)
numbers = (
    st.integers(-3, 3)
    | st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, 10**40, -(10**400), 0.5, 1.0, 2.0, 1e308])
    | st.floats(allow_nan=False, allow_infinity=False)
)
raw = st.sampled_from(sorted(RAW))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def json_text(data: Any) -> bytes:
    """As a file holds it: other spellings than Python's where the data asks for them."""
    text = json.dumps(data, ensure_ascii=False)
    for mark, written in RAW.items():
        text = text.replace(json.dumps(mark), written)
    return text.encode("utf-8", "surrogatepass")


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in _places(each, (*path, key)))]


@st.composite
def edited(draw: st.DrawFn, sound: Sequence[Any], fitting: st.SearchStrategy[Any] = values) -> Any:
    """One of these with a few values replaced, removed, added, or moved under another key."""
    data = copy.deepcopy(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(_places(data)))
        new = draw(fitting | values | raw)
        if not place:
            if draw(st.integers(0, 9)) == 0:
                return new
            continue
        target = data
        for key in place[:-1]:
            target = target[key]
        how = draw(st.sampled_from(["replace", "replace", "remove", "add", "wrap", "rename"]))
        if how == "replace":
            target[place[-1]] = new
        elif how == "wrap":
            target[place[-1]] = [target[place[-1]]]
        elif how == "add" and isinstance(target, dict):
            target[draw(texts)] = new
        elif how == "rename" and isinstance(target, dict):
            target[draw(texts | st.sampled_from(["Name", "minCpu", "password", "$schema", "id"]))] = target[place[-1]]
        elif how == "remove" and isinstance(target, dict):
            del target[place[-1]]
    return data


@st.composite
def spoiled(draw: st.DrawFn, data: st.SearchStrategy[bytes]) -> bytes:
    """The bytes of a file, seldom cut, doubled, or with a byte in them that is no text."""
    whole = draw(data)
    how = draw(st.sampled_from(["as it is"] * 12 + ["cut", "twice", "bytes", "empty", "BOM", "UTF-16"]))
    if how == "cut":
        return whole[: draw(st.integers(0, len(whole)))]
    if how == "bytes":
        return whole[:5] + draw(st.binary(max_size=20)) + whole[5:]
    other = {"twice": whole * 2, "empty": b"", "BOM": b"\xef\xbb\xbf" + whole, "UTF-16": b"\xff\xfe" + whole[:20]}
    return other.get(how, whole)


MANIFESTS = [
    {"name": "tried", "version": "1.0", "platform_config": {"container": "python:3.11-slim"}},
    {
        "$schema": "../../schemas/manifest.schema.json",
        "name": "tried",
        "version": "1.2.rev0",
        "type": "app",
        "description": "one",
        "entrypoint": "main.py",
        "platform": "docker",
        "platformConfig": {
            "container": "registry.example.com:5000/a/b:1",
            "docker_conn_id": "registry",
            "secrets": ["openai"],
            "network": "none",
            "forcePull": True,
        },
        "device_requirements": {"min_cpu": 0.5, "minMemory": 1, "gpu": ["NVIDIA L4"]},
        "retries": 2,
        "task_timeout": 60,
        "cacheable": False,
        "chunks_per_task": 3,
    },
    {"id": "tried", "Version": 1.0, "TYPE": "partitioner", "platform": "python", "needs_source": True},
    {"name": "tried", "version": "1.0", "type": "assembler", "platform": "python", "joins_with": ["ro*", "files"]},
]
PROPERTIES: list[Mapping[str, Any]] = [
    {"type": "string", "default": "a", "title": "A", "description": "of it", "examples": ["a"]},
    {"type": "integer", "minimum": 0, "maximum": 9, "default": 3, "multipleOf": 3},
    {"type": ["number", "null"], "exclusiveMinimum": 0, "default": None},
    {"type": "number", "minimum": 0, "exclusiveMinimum": True, "default": 1},
    {"enum": ["a", 1, None, [1], {"b": 2}], "default": "a"},
    {"const": {"a": 1}},
    {"type": "array", "items": {"type": "string", "pattern": "^a"}, "uniqueItems": True, "default": ["ab"]},
    {
        "type": "array",
        "items": [{"type": "string"}, {"type": "integer"}],
        "additionalItems": False,
        "default": ["a", 1],
    },
    {"type": "array", "prefixItems": [{"type": "string"}], "contains": {"const": 1}, "minContains": 2},
    {
        "type": "object",
        "properties": {"x": {"$ref": "#/properties/a"}},
        "required": ["x"],
        "additionalProperties": False,
    },
    {"$ref": "#"},
    {"$ref": "#/properties/a", "default": 1},
    {"$ref": "#/definitions/no", "default": 1},
    {"$ref": "http://127.0.0.1:9/schema.json", "default": 1},
    {"$ref": "https://example.com/schema.json", "default": {}},
    {"$ref": "file:///etc/passwd", "default": {}},
    {"$ref": "other.json#/x", "default": {}},
    {"$dynamicRef": "#node", "default": {}},
    {"type": "string", "pattern": "^(a+)+$", "default": "a" * 40 + "!"},
    {"type": "string", "pattern": "^(a|a)*$", "default": "a" * 40 + "!"},
    {"type": "string", "pattern": "(?i)(x+x+)+y", "default": "x" * 40},
    {"type": "string", "pattern": "(", "default": "a"},
    {"type": "string", "pattern": "\\p{L}", "default": "a"},
    {"patternProperties": {"^(a+)+$": {"type": "string"}}, "default": {"a" * 40 + "!": 1}},
    {"anyOf": [{"type": "string"}, {"not": {"type": "integer"}}], "default": 1},
    {"allOf": [{"$ref": "#/properties/a"}], "if": {"const": 1}, "then": False, "else": True, "default": 1},
    {"type": "string", "format": "date-time", "default": "soon"},
    {"unevaluatedProperties": False, "default": {"a": 1}},
    {"$id": "http://127.0.0.1:9/x", "$anchor": "y", "default": 1},
    {"dependentRequired": {"a": ["b"]}, "propertyNames": {"pattern": "^(a+)+$"}, "default": {"a" * 40 + "!": 1}},
    {"type": "text"},
    {"type": []},
    {"enum": []},
    {"x-renamed": {"old": "new"}},
]
SCHEMAS = [
    {"type": "object", "properties": {"a": each, "b": {"type": "string"}}, "required": ["b"], "definitions": {}}
    for each in PROPERTIES
] + [
    {"$schema": draft, "type": "object", "properties": {"a": {"type": "integer", "default": 1}}}
    for draft in (
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://example.com/of-ours",
    )
]
TEMPLATES = [
    {},
    {
        "id": "tried",
        "partitioner": "rows@1",
        "assembler": "concat",
        "params": {"partitioner": {"items_per_chunk": 3}, "app": {"a": 1}, "assembler": {}},
        "dataSource": "s3://bucket/{{ ds }}/*.csv",
        "data_destination": {"uri": "file:///out/", "conn_id": None},
        "config": {"taskTimeout": 3, "chunksPerTask": "auto", "existing": "add"},
        "schedule": "@daily",
    },
    {"partitioner": "sweep", "assembler": "mosaic", "schedule": ["s3://bucket/a"], "dataSource": ["file:///a"]},
    {"dataSource": {"dataSourceDescriptor": "s3", "params": {"bucket": "b", "key": "k"}}, "schedule": "0 3 * * 1"},
]


def _file(sound: Sequence[Any]) -> st.SearchStrategy[bytes]:
    return spoiled(edited(sound).map(json_text))


include_folders: st.SearchStrategy[dict[str, bytes]] = st.fixed_dictionaries(
    {"manifest.json": _file(MANIFESTS)},
    optional={"schema.json": _file(SCHEMAS), "template.json": _file(TEMPLATES)},
)

CONFS: list[Any] = [
    {},
    {"name": "a job", "dataSource": "file:///a.txt", "dataDestination": "s3://b/c/"},
    {"dataSource": [{"uri": "file:///a/*.txt", "conn_id": None}], "params": {"app": {"text": "abc", "number": 1}}},
    {"app.text": "abc", "app.whole": 3, "config.taskTimeout": None, "partitioner.items_per_chunk": 3},
    {"params": {"app": {"object": {"a": {"b": "c"}}, "list": ["a", 1], "one": None}}},
    {"config": {"taskTimeout": 3, "sample": 2, "existing": "replace", "chunksPerTask": "7", "allowEmpty": True}},
    {"dataSource": {"dataSourceDescriptor": "azure", "params": {"container": "c", "prefix": "p"}}},
]


confs = st.tuples(
    st.sampled_from(["passthrough", "rows", "replicate", "sweep", "urls", "sections", "keys"]),
    edited(
        CONFS,
        st.sampled_from([float("nan"), float("inf"), "x" * 200_000, *GROWN]),
    ).filter(lambda data: isinstance(data, dict)),
)
"""Only an object is a conf: Airflow and the command refuse any other."""

argument = st.lists(letters.filter(lambda each: each != "\0"), max_size=12).map("".join) | st.sampled_from(
    [each for each in ODD if "\0" not in each and not each.startswith(("/", "..", "file:///", "http"))]
)
"""No path that leads out of the folder, and nothing that asks a network."""
_named = st.sampled_from(["tried", "rows", "data.txt", "include", "app.a=1", "config.sample=1", "partitioner.x=[1"])
_word = (argument.filter(lambda text: "/" not in text and "~" not in text) | _named).map(
    lambda text: text.encode("utf-8", "replace").decode() if "\ud800" in text else text
)
_OPTIONS = [
    "--source", "-s", "--destination", "-d", "--param", "-p", "--params", "--job", "--connection", "--workers",
    "--retries", "--resume", "--new-code", "--plan", "--keep", "--include", "-q", "-v", "--json", "--help", "--log",
    "--all", "--template", "--limit", "--type", "--platform", "--language", "--image", "--app", "--partitioner",
    "--assembler", "--schedule", "--version", "--nothing",
]  # fmt: skip
_COMMANDS = [
    ["run"], ["run", "tried"], ["run", "tried", "--runner", "process", "-s", "data.txt"], ["validate"], ["version"],
    ["app", "new"], ["app", "list"], ["app", "show"], ["app", "validate"], ["engine", "new"], ["engine", "list"],
    ["engine", "show"], ["engine", "suggest"], ["engine", "suggest", "data.txt"], ["engine", "preview"],
    ["engine", "preview", "rows", "-s", "data.txt"], ["template", "new"],
    ["template", "list"], ["template", "show"], ["job", "show"], ["job", "retry"], ["nothing"], [],
]  # fmt: skip


def _is_argument(text: str) -> bool:
    """Whether a process can be given it: other halves of surrogate pairs stand for no bytes."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


arguments = st.builds(
    lambda command, rest: [*command, *rest],
    st.sampled_from(_COMMANDS),
    st.lists(st.sampled_from(_OPTIONS) | _word.filter(_is_argument), max_size=6),
)

objects = st.tuples(
    st.integers(0, 1000),
    st.none()
    | spoiled(edited([{}, [], {"format": 2}, {"done": [{}], "failures": []}]).map(json_text))
    | st.binary()
    | st.lists(st.tuples(st.integers(0, 10_000), values), min_size=1, max_size=2),
    st.sampled_from(["", "--new-code keep", "--new-code rerun", "-d other", "--retries 1"]),
)

chunks = st.lists(
    st.fixed_dictionaries(
        {"data": st.binary(max_size=20) | st.none()},
        optional={
            "name": st.none() | texts | st.integers(),
            "prefix": st.binary(max_size=5),
            "ranges": st.none()
            | st.none()
            | st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 120), st.integers(-1, 10**20)), max_size=3),
            "items": st.none() | st.integers() | texts,
            "metadata": st.dictionaries(
                st.sampled_from(["a", "source_index", "part", "parts"]) | texts | st.integers(),
                values | st.floats() | st.binary(max_size=3) | st.sampled_from(GROWN),
                max_size=3,
            )
            | values,
        },
    ),
    max_size=4,
)

_part = st.binary(min_size=1, max_size=30).map(lambda part: part.replace(b"/", b"_").replace(b"\0", b"0")) | (
    st.sampled_from([b"data_0.bin", b"data_1.bin", b"data_00.bin", b"a", b"a.txt", b"A", b"\xff", b"x" * 255, b"-"])
    | st.sampled_from(["\u00b2", "data_\u0663.bin", "e\u0301", "\u00e9", "_triptych"]).map(str.encode)
)
_name = st.lists(_part.filter(lambda part: part not in (b".", b"..")), min_size=1, max_size=3).map(b"/".join)
operations = st.lists(
    st.tuples(
        st.sampled_from(["file"] * 8 + ["folder", "link", "same", "fifo", "socket", "rights", "hole", "replaced"]),
        _name | st.sampled_from([b"data_0.bin", b"a", b"", b"/".join([b"d"] * 120)]),
        st.binary(max_size=10) | st.sampled_from([b"/etc/passwd", b"/dev/zero", b"..", b"data_0.bin", b"a"]),
    ),
    max_size=6,
)
leavings = st.tuples(st.sampled_from(["partitioner", "app", "assembler"]), operations)
