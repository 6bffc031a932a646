"""The schemas inside a schema, and where a `$ref` in it leads: never out of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Keys = tuple[str | int, ...]

IN_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
"""Keywords whose value holds schemas by name."""
IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords whose schemas judge the same value again: through these alone a `$ref` can lead round in a circle."""
_ONE_OR_MORE = (
    *IN_PLACE,
    *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "additionalProperties"),
    *("unevaluatedProperties", "propertyNames", "contentSchema", "extends", "disallow"),
)
MOST_REFERENCES = 16
"""From one `$ref` to the next."""
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    """Every schema in a schema, itself first, with the path to it; those that only a `$ref` leads to are among them.

    Values that are data (`default`, `const`, `enum`, `examples`) are none.
    """
    seen: set[int] = set()
    waiting: list[tuple[Keys, Any]] = [((), schema)]
    while waiting:
        keys, each = waiting.pop()
        if not isinstance(each, Mapping) or id(each) in seen:
            continue
        seen.add(id(each))
        yield keys, each
        led = [(pointer_keys(reference), led_to(schema, reference)) for reference in references(each)]
        waiting += reversed([*(((*keys, *more), inner) for more, inner in children(each)), *led])


def children(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """The schemas directly inside one, with the keys that lead to them."""
    for keyword, value in schema.items():
        if keyword in IN_MAPS and isinstance(value, Mapping):
            for name, inner in value.items():
                yield (keyword, name), inner
        elif keyword in _ONE_OR_MORE and isinstance(value, list):
            for index, inner in enumerate(value):
                yield (keyword, index), inner
        elif keyword in _ONE_OR_MORE:
            yield (keyword,), value


def references(schema: Mapping[str, Any]) -> list[str]:
    """The references that a schema itself makes."""
    return [schema[keyword] for keyword in REFERENCES if isinstance(schema.get(keyword), str)]


def led_to(root: Mapping[str, Any], reference: str) -> Any | None:
    """What a `#/...` of a file leads to; None for anchors, URLs and what is not there."""
    if not reference.startswith("#") or (reference != "#" and not reference.startswith("#/")):
        return None
    value: Any = root
    for key in pointer_keys(reference):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and str(key).isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def pointer_keys(reference: str) -> Keys:
    """RFC 6901 in a URI fragment: `#/$defs/a~1b` -> ("$defs", "a/b")."""
    from urllib.parse import unquote

    parts = unquote(reference.removeprefix("#")).split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def circle(schema: Mapping[str, Any]) -> Keys | None:
    """The path to a schema that judges by itself again, without end, whatever the value is; None where none does."""
    paths = {id(each): keys for keys, each in subschemas(schema)}
    done: set[int] = set()
    for _, start in subschemas(schema):
        waiting: list[tuple[Any, bool]] = [(start, False)]
        open_: set[int] = set()
        while waiting:
            each, is_leaving = waiting.pop()
            if is_leaving:
                open_.discard(id(each))
                done.add(id(each))
            elif id(each) in open_:
                return paths.get(id(each), ())
            elif id(each) not in done:
                open_.add(id(each))
                waiting.append((each, True))
                waiting += [(inner, False) for inner in _again(schema, each)]
    return None


def _again(root: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas that a schema gives its own value to."""
    inner = [value for keys, value in children(schema) if keys[0] in IN_PLACE]
    inner += [led_to(root, reference) for reference in references(schema)]
    return [value for value in inner if isinstance(value, Mapping)]


def resolved(described: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with what its `$ref`s in this file lead to; its own words count first."""
    found: dict[str, Any] = {}
    for _ in range(MOST_REFERENCES):
        if not isinstance(described, Mapping):
            break
        found = {**described, **found}
        reference = found.pop("$ref", None)
        described = led_to(root, reference) if isinstance(reference, str) else None
    found.pop("$ref", None)
    return found
