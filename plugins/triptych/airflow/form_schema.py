"""A block's schema in the words of Airflow's form: plain keywords of draft 2020-12, that cost nothing to judge by.

Airflow judges every field by jsonschema's newest draft, in the API server, with patterns by `re`. So what a field keeps
is translated from its own draft, or left out: `partition` judges the whole job by the whole schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from triptych.schemas.diagnostics import TYPES
from triptych.schemas.patterns import is_plain
from triptych.schemas.walking import resolved

MOST_DEPTH = 8
"""Levels of lists and objects that a field describes; what is deeper may be anything."""
MOST_PARTS = 300
"""Schemas in the description of one field: `$ref`s can multiply without end."""
MOST_VALUES = 200
"""Of an enumeration or of examples that a form offers."""
_FORMATS = frozenset(
    ("date", "date-time", "time", "duration", "email", "multiline", "uri", "uuid", "ipv4", "ipv6", "hostname")
)
_LENGTHS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


def form_schema(described: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """What a form says of a value that a schema of any draft describes; `root` is the whole schema, for its `$ref`s."""
    return _Field(root, MOST_PARTS).described(described, 0)


@dataclass
class _Field:
    """The description of one field while it is made."""

    root: Mapping[str, Any]
    parts_left: int

    def described(self, schema: Any, depth: int) -> dict[str, Any]:
        """Of one schema in it; empty where the field holds enough already."""
        self.parts_left -= 1
        if self.parts_left < 0 or depth > MOST_DEPTH:
            return {}
        plain = resolved(schema, self.root)
        given = {target: None for keyword, targets in _TARGETS.items() if keyword in plain for target in targets}
        own = {keyword: _TRANSLATED[keyword](plain) for keyword in given}
        made = {keyword: value for keyword, value in own.items() if value is not None}
        return {**made, **self._lists(plain, depth), **self._objects(plain, depth)}

    def _lists(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """Tuples are `items: [...]` up to 2019-09, and `prefixItems` since."""
        items = schema.get("items")
        first = items if isinstance(items, list) else schema.get("prefixItems")
        others = schema.get("additionalItems") if isinstance(items, list) else items
        made: dict[str, Any] = {}
        if isinstance(first, list) and first:
            made["prefixItems"] = [self._inner(each, depth) for each in first]
        if isinstance(others, Mapping | bool):
            made["items"] = self._inner(others, depth)
        return made

    def _objects(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """Without `required`: the template's defaults and the flat fields may give what is not in the nested form."""
        properties = schema.get("properties")
        made: dict[str, Any] = {}
        if isinstance(properties, Mapping) and properties:
            made["properties"] = {name: self._inner(each, depth) for name, each in properties.items()}
        if schema.get("additionalProperties") is False and not schema.get("patternProperties"):
            made["additionalProperties"] = False
        return made

    def _inner(self, schema: Any, depth: int) -> dict[str, Any] | bool:
        return schema if isinstance(schema, bool) else self.described(schema, depth + 1)


def _types(schema: Mapping[str, Any]) -> Any:
    """The types that draft 2020-12 knows; none where an older one allows more."""
    given = schema.get("type")
    types = given if isinstance(given, list) else [given]
    return given if all(isinstance(each, str) and each in TYPES for each in types) and types else None


def _bound(keyword: str, strict: str) -> Callable[[Mapping[str, Any]], Any]:
    """Drafts 3 and 4 say with true that a bound itself is too much; later ones give a number of its own."""

    def translated(schema: Mapping[str, Any]) -> Any:
        return None if schema.get(strict) is True else _number(schema.get(keyword))

    return translated


def _strict_bound(keyword: str, strict: str) -> Callable[[Mapping[str, Any]], Any]:
    def translated(schema: Mapping[str, Any]) -> Any:
        return _number(schema.get(keyword) if schema.get(strict) is True else schema.get(strict))

    return translated


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _multiple(schema: Mapping[str, Any]) -> float | None:
    value = _number(schema.get("multipleOf", schema.get("divisibleBy")))
    return value if value and value > 0 else None


def _length(keyword: str) -> Callable[[Mapping[str, Any]], Any]:
    def translated(schema: Mapping[str, Any]) -> int | None:
        value = _number(schema.get(keyword))
        return int(value) if value is not None and value >= 0 else None

    return translated


def _pattern(schema: Mapping[str, Any]) -> Any:
    pattern = schema.get("pattern")
    return pattern if isinstance(pattern, str) and is_plain(pattern) else None


def _format(schema: Mapping[str, Any]) -> Any:
    return schema["format"] if schema.get("format") in _FORMATS else None


def _values(schema: Mapping[str, Any]) -> Any:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return values if isinstance(values, list) and 0 < len(values) <= MOST_VALUES else None


def _examples(schema: Mapping[str, Any]) -> Any:
    values = schema.get("examples")
    return values[:MOST_VALUES] if isinstance(values, list) else None


def _title(schema: Mapping[str, Any]) -> Any:
    return schema["title"] if isinstance(schema.get("title"), str) else None


_TRANSLATED: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "type": _types,
    "enum": _values,
    "minimum": _bound("minimum", "exclusiveMinimum"),
    "maximum": _bound("maximum", "exclusiveMaximum"),
    "exclusiveMinimum": _strict_bound("minimum", "exclusiveMinimum"),
    "exclusiveMaximum": _strict_bound("maximum", "exclusiveMaximum"),
    **{keyword: _length(keyword) for keyword in _LENGTHS},
    "pattern": _pattern,
    "format": _format,
    "multipleOf": _multiple,
    "title": _title,
    "examples": _examples,
}

_TARGETS: Mapping[str, tuple[str, ...]] = {
    **{keyword: (keyword,) for keyword in _TRANSLATED},
    "const": ("enum",),
    "minimum": ("minimum", "exclusiveMinimum"),
    "maximum": ("maximum", "exclusiveMaximum"),
    "exclusiveMinimum": ("minimum", "exclusiveMinimum"),
    "exclusiveMaximum": ("maximum", "exclusiveMaximum"),
    "divisibleBy": ("multipleOf",),
}
"""What of a form each keyword of a schema says."""
