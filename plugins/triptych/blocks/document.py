"""Reading one JSON file of ours: both spellings of keys, all that is wrong at once, each with its location."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triptych.blocks.json_file import Keys, read_object
from triptych.blocks.model import Diagnostic
from triptych.schemas.diagnostics import Json, dotted, located_errors, nearest_or_all, unknown_keys
from triptych.schemas.files import Kind, own_schema, own_validator
from triptych.schemas.locations import is_left_out

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
LOCATIONS = ("data_source", "data_destination")
"""Keys whose value may be `{}`, which says nothing."""


@dataclass
class Document:
    """A file of ours: its data with keys as the schema spells them, and what was found wrong with it so far."""

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    """Empty where the file holds no JSON object."""
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    spelled: dict[Keys, str] = field(default_factory=dict)
    """The last key of a path as the file has it, where that differs: `("min_cpu",)` -> `minCpu`."""

    def error(self, message: str, *keys: str | int) -> None:
        """Note what is wrong with the value at this path, named as the file spells it."""
        self.errors.append(Diagnostic(self.path, self._location(keys), message))

    def warn(self, message: str, *keys: str | int) -> None:
        """Note what is odd, but no reason to refuse the file."""
        self.warnings.append(Diagnostic(self.path, self._location(keys), message))

    def _location(self, keys: Keys) -> str:
        return dotted("$", tuple(self.spelled.get(keys[: end + 1], key) for end, key in enumerate(keys)))


def read_document(
    path: Path, kind: Kind, prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: data
) -> Document:
    """The file, judged by the schema of its kind once `prepare` has filled in what it may leave out.

    Keys in `camelCase` or capitals are read as the schema's `snake_case`, null as if it were not there. Keys that the
    schema does not know are warnings; `data` keeps them.
    """
    data, errors = read_object(path)
    document = Document(path, errors=errors)
    if not errors:
        document.data = prepare(_respelled(data, own_schema(kind), (), document))
        for keys, message in located_errors(document.data, own_validator(kind)):
            document.error(message, *keys)
        _warn_of_unknown(document, document.data, own_schema(kind), ())
    return document


def _respelled(data: Mapping[str, Any], schema: Mapping[str, Any], keys: Keys, document: Document) -> dict[str, Any]:
    """Keys of ours in our spelling, down to objects whose keys the schema does not list: those are the user's."""
    made: dict[str, Any] = {}
    for given, value in data.items():
        key = _WORD_START.sub("_", given).lower()
        if value is None or (key in LOCATIONS and is_left_out(value)):
            continue
        if key in made:
            document.error(f"is there twice, also as {given!r}: keep one.", *keys, key)
        if key != given:
            document.spelled[*keys, key] = given
        inner = schema.get("properties", {}).get(key, {})
        is_ours = isinstance(value, dict) and "properties" in inner
        made[key] = _respelled(value, inner, (*keys, key), document) if is_ours else value
    return made


def _warn_of_unknown(document: Document, value: Json, schema: Mapping[str, Any], keys: Keys) -> None:
    if not isinstance(value, Mapping) or schema.get("additionalProperties") is False:
        return
    known = schema.get("properties", {})
    for key in unknown_keys(value, schema):
        nearest = nearest_or_all(key, known.keys() - {"$schema"})
        document.warn(f"unknown key, ignored.{nearest}", *keys, key)
    for key, inner in known.items():
        if "properties" in inner and key in value:
            _warn_of_unknown(document, value[key], inner, (*keys, key))
