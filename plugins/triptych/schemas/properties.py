"""The parameters that a schema describes, one by one: for forms, lists and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from triptych.schemas.walking import resolved

MOST_LEVELS = 4
"""Of objects inside objects whose parts are leaves of their own; a deeper one is a leaf."""
MOST_LEAVES = 200
"""Of one schema; with more, or with two of one name (`a.b`), no object is taken apart."""
_OBJECT = ("object", ["object"], ["object", "null"], ["null", "object"])


@dataclass(frozen=True)
class Leaf:
    """A value that a schema describes by itself: the keys that lead to it, and its own schema, `$ref` followed.

    `is_required` when no value of the whole is right without it.
    """

    path: tuple[str, ...]
    schema: Mapping[str, Any]
    is_required: bool

    @property
    def name(self) -> str:
        """The keys with dots between, as forms and flat fields name it: `crop.width`."""
        return ".".join(self.path)


def properties(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The properties of an object schema by name, in its order; empty for a schema that names none.

    One that may be anything (`true`) is an empty schema here, and so is what is no schema: `check_schema` tells that.
    """
    named = schema.get("properties")
    named = named if isinstance(named, Mapping) else {}
    return {name: each if isinstance(each, Mapping) else {} for name, each in named.items()}


def defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The default of each property that has one."""
    return {key: each["default"] for key, each in properties(schema).items() if "default" in each}


def leaves(schema: Mapping[str, Any]) -> list[Leaf]:
    """The properties of an object schema in its order, and instead of one that is an object its own, at any depth.

    An object stays whole that lists no properties, that other keywords judge as one (`oneOf` ...), or that lies deep.
    """
    # As they come: `$ref`s can multiply without end.
    found = list(islice(_leaves(schema, schema, (), is_required=True), MOST_LEAVES + 1))
    if len(found) <= MOST_LEAVES and len({leaf.name for leaf in found}) == len(found):
        return found
    required = _required(schema)
    return [Leaf((name,), resolved(each, schema), name in required) for name, each in properties(schema).items()]


def _leaves(
    schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...], *, is_required: bool
) -> Iterator[Leaf]:
    required = _required(schema) if is_required else frozenset[str]()
    for name, each in properties(schema).items():
        plain, here = resolved(each, root), (*path, name)
        is_object = plain.get("type") in _OBJECT and properties(plain) and not {"oneOf", "anyOf", "enum"} & plain.keys()
        if is_object and len(here) < MOST_LEVELS and "." not in name:
            yield from _leaves(plain, root, here, is_required=name in required)
        else:
            yield Leaf(here, plain, name in required)


def _required(schema: Mapping[str, Any]) -> frozenset[str]:
    """Names without which no value is right; draft 3 has a boolean there."""
    listed = schema.get("required")
    return frozenset(name for name in listed if isinstance(name, str)) if isinstance(listed, list) else frozenset()


def value_at(value: Any, path: Sequence[str]) -> Any:
    """What lies at the end of these keys; None where there is nothing."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def with_value(value: Any, path: Sequence[str], new: Any) -> Any:
    """A copy with this at the end of the keys; what lies in their way and is no object makes room for one."""
    if not path:
        return new
    held = value if isinstance(value, Mapping) else {}
    return {**held, path[0]: with_value(held.get(path[0]), path[1:], new)}


def without(value: Mapping[str, Any], paths: Iterable[Sequence[str]]) -> dict[str, Any]:
    """A copy without what lies at the ends of these; objects that held it stay."""
    held = dict(value)
    for path in paths:
        if len(path) == 1:
            held.pop(path[0], None)
        elif isinstance(inner := held.get(path[0]), Mapping):
            held[path[0]] = without(inner, [path[1:]])
    return held


def type_text(schema: Mapping[str, Any], quote: str = "") -> str:
    """What a property may be, for people: `integer or null`; of an enumeration its values, each in `quote`."""
    if isinstance(schema.get("enum"), list):
        return ", ".join(f"{quote}{value}{quote}" for value in schema["enum"])
    types = schema.get("type", "any")
    return " or ".join(map(str, types)) if isinstance(types, list) else str(types)
