"""Command-line options as the nested conf of a job."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from triptych.blocks import Role, Template
from triptych.blocks.json_file import read_object
from triptych.errors import JobSpecError
from triptych.jobs.spec import OTHER_NAMES, config_schema, respelled
from triptych.schemas.diagnostics import SHOWN_CHARACTERS
from triptych.schemas.properties import properties

PREFIXES = (*Role, "config")
_PLACES = (*OTHER_NAMES, *OTHER_NAMES.values())


def conf_from_options(
    template: Template,
    job: Path | None,
    params: Path | None,
    given: Sequence[str],
    sources: Sequence[str],
    manifests: Sequence[str],
    inputs: Sequence[str],
    destination: str | None,
    conn_id: str | None,
) -> dict[str, Any]:
    """`--job` < `--params` < `-p`, `--source` and its like, `--destination`. JobSpecError for what cannot be read."""
    conf, errors = respelled(_read(job, "--job") if job else {})
    if errors:
        raise JobSpecError("\n".join(f"--job {job}: {error}" for error in errors))
    if params:
        conf["params"] = {**(conf.get("params") or {}), **_read(params, "--params")}
    for text in given:
        _set(conf, text, template)
    if sources or manifests:
        listed = [{"manifest": local_uri(each), "conn_id": conn_id} for each in manifests]
        conf["dataSource"] = [*(location(local_uri(each), conn_id) for each in sources), *listed]
    if inputs:
        conf["inputs"] = {**(conf.get("inputs") or {}), **_inputs(inputs, conn_id)}
    if destination:
        conf["dataDestination"] = location(local_uri(destination, is_folder=True), conn_id)
    return conf


def changed_conf(
    template: Template | None,
    conf: Mapping[str, Any],
    given: Sequence[str],
    sources: Sequence[str],
    destination: str | None,
    conn_id: str | None,
) -> dict[str, Any]:
    """The conf of an earlier job with `-p`, `--source` and `--destination` in the place of what it says of these.

    Without the template nobody knows which parameters are texts: each value is JSON where it can be.
    """
    changed, errors = respelled(copy.deepcopy(dict(conf)))
    if errors:
        raise JobSpecError("\n".join(errors))
    for text in given:
        _set(changed, text, template)
    if sources:
        changed["dataSource"] = [location(local_uri(each), conn_id) for each in sources]
    if destination:
        changed["dataDestination"] = location(local_uri(destination, is_folder=True), conn_id)
    return changed


def with_config(conf: dict[str, Any], retries: int | None, *, no_cache: bool) -> dict[str, Any]:
    """The conf with `--retries` and `--no-cache`, where they were given."""
    given = {} if retries is None else {"maxTaskRetries": retries}
    if no_cache:
        given["noCache"] = True
    return {**conf, "config": {**(conf.get("config") or {}), **given}} if given else conf


def location(uri: str, conn_id: str | None) -> Any:
    """A location for a job spec; local files need no connection."""
    return {"uri": uri, "conn_id": conn_id} if conn_id and not uri.startswith("file:") else uri


def local_uri(text: str, *, is_folder: bool = False) -> str:
    """A URI as it is; a path, which may hold `*` or `?`, as a `file://` URI, a folder's with `/` at the end."""
    if "://" in text:
        return text
    path = Path(text).expanduser().absolute()
    try:
        is_there = path.exists()
    except OSError as error:
        msg = f"{text[:SHOWN_CHARACTERS]}: {error.strerror}."
        raise JobSpecError(msg) from None
    if is_there:
        return path.as_uri() + ("/" if path.is_dir() or is_folder else "")
    return f"file://{quote(os.fsencode(path), safe='/*?[]')}" + ("/" if is_folder or text.endswith("/") else "")


def _read(path: Path, option: str) -> dict[str, Any]:
    data, errors = read_object(path)
    if errors:
        raise JobSpecError("\n".join(f"{option} {error}" for error in errors))
    for key in ("params", "config", "inputs"):
        if not isinstance(data.get(key, {}), dict | None):
            msg = f"{option} {path}: {key} must be an object {{...}}."
            raise JobSpecError(msg)
    # Of a location null says something: that there is none.
    return {key: value for key, value in data.items() if key != "$schema" and (value is not None or key in _PLACES)}


def _inputs(given: Sequence[str], conn_id: str | None) -> dict[str, Any]:
    """`reference=genome.fa` by name; a name that is given twice has both sources."""
    named: dict[str, list[Any]] = {}
    for text in given:
        name, equals, uri = text.partition("=")
        if not (name and equals and uri):
            msg = f"--input {text}: write it as NAME=URI; a path, a folder or a glob will do."
            raise JobSpecError(msg)
        named.setdefault(name, []).append(location(local_uri(uri), conn_id))
    return {name: sources[0] if len(sources) == 1 else sources for name, sources in named.items()}


def _set(conf: dict[str, Any], text: str, template: Template | None) -> None:
    """`app.a.b=1` into `conf["params"]["app"]["a"]["b"]`; the value is JSON where it can be and no text is wanted."""
    name, equals, value = text.partition("=")
    role, *keys = name.split(".")
    if not equals or role not in PREFIXES or not all(keys) or not keys:
        msg = f"-p {text}: write it as app.NAME=VALUE; the first part is one of {', '.join(PREFIXES)}."
        raise JobSpecError(msg)
    target: Any = conf if role == "config" else conf.setdefault("params", {})
    for key in (role, *keys[:-1]):
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            msg = f"-p {text}: {key!r} holds a value already, and no object."
            raise JobSpecError(msg)
    own = template.blocks[Role(role)].schema if template and role != "config" else {}
    schema = config_schema() if role == "config" else own
    target[keys[-1]] = _value(value, properties(schema).get(keys[0], {}) if len(keys) == 1 else {})


def engine_params(schema: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """`-p items_per_chunk=100` of one engine; JobSpecError when there is no `=`."""
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals:
            msg = f"-p {name}: write it as NAME=VALUE."
            raise JobSpecError(msg)
    return {name: _value(value, properties(schema).get(name, {})) for name, _, value in pairs}


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    """JSON where it can be and no text is wanted."""
    if schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
