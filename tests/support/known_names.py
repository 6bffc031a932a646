"""What a text may name, by rule: each finds names of one sort in a text and looks for them where they are made."""

from __future__ import annotations

import argparse
import ast
import builtins
import inspect
import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from typer.main import get_command

from tests.support.names_of_others import (
    AIRFLOW_OF_OTHERS,
    CODES_OF_OTHERS,
    MADE_ON_THE_WAY,
    OPTIONS_OF_OTHERS,
    SETTINGS_OF_OTHERS,
    WORDS,
)
from tests.support.source_tree import modules, python_files
from tests.support.told_texts import Told, literals_alone
from triptych import client, errors
from triptych.airflow.job_end import JobEnd
from triptych.api.app import make_app
from triptych.blocks import BUILT_IN, read_catalog
from triptych.cli import app
from triptych.connections import EngineCredentials
from triptych.engines import api
from triptych.options import OPTIONS
from triptych.scaffold.scaffold import Language
from triptych.schemas.files import Kind, own_schema
from triptych.settings import PROJECT, Runner
from triptych.stages import Stage
from triptych.stages.repair import NewCode

_ROOMS = ("tests", "docs", "scripts", "plugins", "benchmarks", "include", "dags", ".ci")
_SHELL_WORD = re.compile(r"[a-z][a-z-]*")


def unknown_names(text: Told) -> list[str]:
    """What a text names and nothing has, each with its sort."""
    rules = (_commands, _options, _settings, _variables, _targets, _paths, _airflow, _keys, _exit_codes, _words)
    return [f"{rule.__name__.strip('_')}: {name}" for rule in rules for name in rule(text)]


def _commands(text: Told) -> Iterator[str]:
    """`triptych ...`: the command, and each option as that command has it."""
    for part in text.all:
        for call in re.findall(r"(?<![\w./'-])triptych +([^`\n&|;#()]*)", part):
            words = call.rstrip(" .,:").split()
            command = _root()
            while words and _SHELL_WORD.fullmatch(words[0]) and (inner := getattr(command, "commands", None)):
                command = inner.get(words.pop(0))
                if command is None:
                    yield f"triptych {call}"
                    break
            else:
                known = _options_of(command)
                yield from (
                    f"triptych {call}" for word in words if _is_option(word) and word.split("=")[0] not in known
                )


def _options(text: Told) -> Iterator[str]:
    """`--option` by itself: of any command of ours."""
    known = {option for command in _all_commands(_root()) for option in _options_of(command)} | OPTIONS_OF_OTHERS.keys()
    if "--conn-" in text.prose:  # What one of our messages goes on with: `airflow connections add ...`.
        known |= _airflow_options("connections", "add")
    own = [part for part in text.code if part.startswith("-")] + [text.prose]
    for part in own:
        for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", part):
            if name not in known:
                yield name


def _settings(text: Told) -> Iterator[str]:
    """Ours by key or variable, Airflow's by variable."""
    ours = {option.key for option in OPTIONS}
    for part in text.all:
        named = [*re.findall(r"\[triptych\] (\w+)", part), *re.findall(r"AIRFLOW__TRIPTYCH__([A-Z_]+)\b", part)]
        yield from (name for name in named if name.lower() not in ours)
        for section, key in re.findall(r"AIRFLOW__((?!TRIPTYCH)[A-Z]+(?:_[A-Z]+)*)__([A-Z_]+)\b", part):
            if not _airflow_has(section.lower(), key.lower()):
                yield f"AIRFLOW__{section}__{key}"
    for name in re.findall(r"settings? `(\w+)`", text.source):
        if name not in ours:
            yield name


def _variables(text: Told) -> Iterator[str]:
    """`TASK_DIR` and its like: a literal of the source, or of what runs beside it."""
    for part in text.all:
        for name in re.findall(r"(?<![\w<>{}])(?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+\b", part):
            is_known = name in _known_variables() or name in WORDS or name.startswith(("AIRFLOW__", "AIRFLOW_CONN_"))
            if not is_known and not (text.is_for_developers and name in _python_names()):
                yield name


def _targets(text: Told) -> Iterator[str]:
    """`make x`, in code."""
    known = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for part in text.code:
        yield from (f"make {name}" for name in re.findall(r"^make ([a-z]+)", part) if name not in known)


def _paths(text: Told) -> Iterator[str]:
    """Files below our folders, `*` for several, and a test behind `::`; whatever a reader makes may lack."""
    start = "|".join(re.escape(room) for room in _ROOMS)
    for part in text.all:
        for path, _, test in re.findall(rf"(?<![\w./{{}}<>-])((?:{start})/[\w./*-]*[\w*/])(::(test_\w+))?", part):
            found = list(PROJECT.glob(path.rstrip("/"))) or set(path.split("/")) & MADE_ON_THE_WAY
            if not found:
                yield path
            elif test and f"def {test}(" not in (PROJECT / path).read_text(encoding="utf-8"):
                yield f"{path}::{test}"


def _airflow(text: Told) -> Iterator[str]:
    """`airflow ...`, in code, by Airflow's own parser: the command and its options."""
    for part in text.code:
        for call in re.findall(r"(?:^|&& )(?:[\w/.]*/)?airflow ([^&|;#]*)", part):
            words = shlex.split(call.replace("\\", ""))
            names = list(itertools.takewhile(_SHELL_WORD.fullmatch, words))
            known = AIRFLOW_OF_OTHERS.get(names[0]) or _airflow_options(*names)
            if not known or any(_is_option(word) and word.split("=")[0] not in known for word in words):
                yield f"airflow {call}"


def _keys(text: Told) -> Iterator[str]:
    """Dotted keys of a manifest or a job spec, in code or not."""
    for part in text.all:
        named = re.findall(r"(?<![\w.{}])((?:platform|device)(?:_[a-z]+|[A-Z][a-z]+))\.(\w+)", part)
        yield from (f"{outer}.{key}" for outer, key in named if key not in _inside(Kind.MANIFEST, _snake(outer)))
        if re.search(r"\bconfig\.\w+\(", part):
            continue
        named_config = re.findall(r"(?<![\w./{}-])config\.([a-zA-Z]\w*)", part)
        yield from (f"config.{key}" for key in named_config if key not in _inside(Kind.JOB, "config"))


def _exit_codes(text: Told) -> Iterator[str]:
    """`exit code 8`: one of ours, or of those that everybody knows."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if hasattr(kind, "exit_code")]
    known = {0, 2, *(kind.exit_code for kind in kinds), *CODES_OF_OTHERS}
    for part in text.all:
        for first, last in re.findall(r"[eE]xit codes? (\d+)(?: to (\d+))?", part):
            yield from (f"exit code {code}" for code in (first, last) if code and int(code) not in known)


def _words(text: Told) -> Iterator[str]:
    """One word in backticks: a key, a value, a block, a command, a setting, a file or folder of ours."""
    known = _known_words() | (_python_names() if text.is_for_developers else frozenset())
    for part in text.code:
        if re.fullmatch(r"(?!AIRFLOW_)[A-Za-z_]\w+", part) and part not in known:
            yield part


@cache
def _known_words() -> frozenset[str]:
    catalog = read_catalog([BUILT_IN])
    schemas: list[Any] = [own_schema(kind) for kind in Kind] + [block.schema for block in catalog.blocks]
    known = {word for schema in schemas for word in _schema_words(schema)}
    known |= {block.name for block in catalog.blocks} | {template.id for template in catalog.templates}
    known |= {option.key for option in OPTIONS} | set(WORDS) | MADE_ON_THE_WAY | _known_variables()
    known |= {name for command in _all_commands(_root()) for name in getattr(command, "commands", {})}
    known |= {choice.value for kind in (Language, NewCode, Runner, Stage) for choice in kind}
    known |= {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    known |= literals_alone("triptych.settings") | literals_alone("triptych.options")
    known |= literals_alone("triptych.schemas.locations")
    known |= literals_alone("triptych.stages.publishing.linking")
    known |= literals_alone("triptych.schemas.descriptors") | literals_alone("triptych.schemas.services") | set(_ROOMS)
    known |= literals_alone("triptych.airflow.maintenance")
    known |= literals_alone("triptych.api.views") | literals_alone("triptych.api.uploads")
    known |= literals_alone("triptych.api.routes.logs") | set(_names_of_the_client())
    known |= {name for name, kind in inspect.getmembers(builtins, inspect.isclass) if issubclass(kind, Exception)}
    known |= set(_schema_words(make_app().openapi()["paths"]))
    known |= {name for name, _ in inspect.getmembers(api) if not name.startswith("_")}
    known |= {key for about in _airflow_sections().values() for key in about.get("options", {})}
    told = (api.Chunk, JobEnd, EngineCredentials)
    known |= {field for kind in told for field in inspect.signature(kind).parameters}
    project = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    _, _, extras = project.partition("[project.optional-dependencies]")
    known |= set(re.findall(r"^([a-z0-9]+) = ", extras.partition("\n[")[0], re.MULTILINE))
    known |= {path.name for room in _ROOMS for path in (PROJECT / room).rglob("*") if path.is_dir()}
    known |= set(_metadata_keys())
    return frozenset(known | {"triptych"})


def _names_of_the_client() -> Iterator[str]:
    """What the client's users write: its classes, their methods, and the arguments of these."""
    for name in client.__all__:
        kind = getattr(client, name)
        yield name
        for method, function in inspect.getmembers(kind, inspect.isfunction):
            yield from (method, *inspect.signature(function).parameters)


def _metadata_keys() -> Iterator[str]:
    """What engines tell of chunks: keys of objects in their code, and fields of the families' dataclasses."""
    for _, tree in python_files("include/engines"):
        for node in ast.walk(tree):
            keys = node.keys if isinstance(node, ast.Dict) else ()
            yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
    for module in modules().values():
        kinds = [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
        for kind in kinds if module.package == "engines" else ():
            fields = [node.target for node in kind.body if isinstance(node, ast.AnnAssign)]
            yield from (field.id for field in fields if isinstance(field, ast.Name))


@cache
def _known_variables() -> frozenset[str]:
    beside = [*PROJECT.glob("plugins/triptych/running/launcher/*"), PROJECT / "docker-compose.yaml"]
    beside += [*PROJECT.glob("plugins/triptych/scaffold/files/*")]
    written = {name for path in beside for name in re.findall(r"[A-Z][A-Z0-9_]+", path.read_text(encoding="utf-8"))}
    asked = re.compile(r"environ(?:\.get)?[\[(]\"([A-Z_]+)\"")
    tests = {name for path in PROJECT.glob("tests/**/*.py") for name in asked.findall(path.read_text(encoding="utf-8"))}
    return frozenset(written | tests | {word for word in literals_alone() if re.fullmatch(r"[A-Z][A-Z0-9_]+", word)})


@cache
def _python_names() -> frozenset[str]:
    trees = [module.tree for module in modules().values()]
    trees += [tree for _, tree in python_files("tests", "include/engines", "benchmarks")]
    names = {part for name in modules() for part in name.split(".")}
    for tree in trees:
        for node in ast.walk(tree):
            for field in ("name", "id", "attr", "arg"):
                value = getattr(node, field, None)
                names |= {value} if isinstance(value, str) else set()
    return frozenset(names)


def _schema_words(schema: Any) -> Iterator[str]:
    """Names of properties and values of enumerations at any depth, defaults, and schemas' own keywords."""
    if isinstance(schema, list):
        for each in schema:
            yield from _schema_words(each)
    if isinstance(schema, dict):
        yield from schema
        yield from (value for value in (*schema.get("enum", ()), schema.get("default")) if isinstance(value, str))
        for each in schema.values():
            yield from _schema_words(each)


@cache
def _inside(kind: Kind, key: str) -> frozenset[str]:
    schema = own_schema(kind)
    inner: Any = schema["$defs"].get(key) or schema["properties"].get(key, {})
    patterns = [each.strip("^$") for each in inner.get("patternProperties", {})]
    return frozenset([*inner.get("properties", {}), *(each for each in patterns if each.isalnum())])


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


@cache
def _root() -> Any:
    return get_command(app)


def _all_commands(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _all_commands(inner)


def _options_of(command: Any) -> set[str]:
    return {"--help", *(name for each in command.params for name in (*each.opts, *each.secondary_opts))}


def _is_option(word: str) -> bool:
    return bool(re.match(r"--?[a-zA-Z]", word))


@cache
def _airflow_options(*names: str) -> frozenset[str]:
    """Of the command that the first of these names give; none where there is no such command."""
    from airflow.cli.cli_parser import get_parser

    parser: argparse.ArgumentParser = get_parser()
    for name in names:
        inner = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        if not inner:
            break
        if name not in inner[0].choices:
            return frozenset()
        parser = inner[0].choices[name]
    return frozenset(parser._option_string_actions)


def _airflow_has(section: str, key: str) -> bool:
    return key in SETTINGS_OF_OTHERS.get(section, ()) or key in _airflow_sections().get(section, {}).get("options", {})


def _airflow_sections() -> Mapping[str, Any]:
    from airflow.configuration import conf

    described: Mapping[str, Any] = conf.configuration_description
    return described
