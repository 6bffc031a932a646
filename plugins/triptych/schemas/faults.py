"""What a JSON Schema refuses, in sentences that name the place and say what would be right."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list [...]",
    "object": "an object {...}",
    "null": "null",
}
SHOWN_CHARACTERS = 80


def schema_faults(value: Any, schema: Mapping[str, Any], where: str) -> list[str]:
    """`place: what is wrong.` for each fault, by place; `where` is the place of the value itself."""
    return [f"{place}: {text}" for place, text in placed_faults(value, schema, where)]


def placed_faults(value: Any, schema: Mapping[str, Any], where: str) -> list[tuple[str, str]]:
    """(place, sentence) of each fault, by place."""
    found = sorted(draft_of(schema)(schema).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    # All that lacks in one object, or is too much in it, comes once for each.
    return list(dict.fromkeys(fault for error in found for fault in _sentences(error, where)))


def draft_of(schema: Mapping[str, Any]) -> Any:
    """jsonschema's validator class for the draft that the schema names, by default 2020-12."""
    from jsonschema.validators import Draft202012Validator, validator_for

    return validator_for(schema, Draft202012Validator)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A question with the nearest known word, a space in front; empty when none is near."""
    close = difflib.get_close_matches(given, list(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""


def nearest_or_all(given: str, known: Iterable[str]) -> str:
    """`did_you_mean`, or where nothing is near all that is known."""
    words = sorted(known)
    return did_you_mean(given, words) or f" Known: {', '.join(words) or 'none'}."


def renamed(given: str, schema: Mapping[str, Any]) -> str:
    """A sentence with today's name of a property, a space in front; empty when the schema renamed none of this name.

    A schema lists them as `"x-renamed": {"old": "new"}`.
    """
    name = schema.get("x-renamed", {}).get(given)
    return f" It is called {name!r} now." if name else ""


def _sentences(error: Any, where: str) -> Iterable[tuple[str, str]]:
    place = ".".join([where, *map(str, error.absolute_path)])
    if error.validator == "required":
        properties = error.schema.get("properties", {})
        for name in (name for name in error.validator_value if name not in error.instance):
            about = properties.get(name, {}).get("description", "")
            yield f"{place}.{name}", f"is missing. {about}".rstrip()
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for name in (name for name in error.instance if name not in known):
            yield f"{place}.{name}", f"is unknown.{renamed(name, error.schema) or nearest_or_all(name, known)}"
    elif (nearest := _nearest(error)) is not None:
        for inner in nearest:
            yield from _sentences(inner, where)
    elif types := _wrong_types(error):
        *most, last = [TYPES[each] for each in types]
        wanted = f"{', '.join(most)} or {last}" if most else last
        yield place, f"must be {wanted}, and is {_shown(error.instance)}."
    elif error.validator in SENTENCES:
        yield place, f"{SENTENCES[error.validator](error)}, and is {_shown(error.instance)}."
    else:
        yield place, f"{error.message}."


def _nearest(error: Any) -> list[Any] | None:
    """The faults against that alternative of anyOf or oneOf whose type is right and that has fewest."""
    fitting = [faults for faults in _alternatives(error) if not any(map(_is_wrong_itself, faults))]
    return min(fitting, key=len, default=None)


def _is_wrong_itself(fault: Any) -> bool:
    """Whether the value has the wrong type, and not only something in it."""
    return not fault.path and bool(_wrong_types(fault))


def _wrong_types(error: Any) -> list[str]:
    """The types that the value itself should have, where it has none of them."""
    if error.validator == "type":
        value = error.validator_value
        return list(value) if isinstance(value, list) else [value]
    alternatives = _alternatives(error)
    types = [[each for fault in faults if not fault.path for each in _wrong_types(fault)] for faults in alternatives]
    return list(dict.fromkeys(each for some in types for each in some)) if all(types) else []


def _alternatives(error: Any) -> list[list[Any]]:
    if error.validator not in ("anyOf", "oneOf"):
        return []
    by_place = itertools.groupby(error.context, key=lambda inner: inner.schema_path[0])
    return [list(faults) for _, faults in by_place]


def _enum(error: Any) -> str:
    return f"must be one of {', '.join(map(_shown, error.validator_value))}"


SENTENCES: Mapping[str, Callable[[Any], str]] = {
    "enum": _enum,
    "const": lambda error: f"must be {_shown(error.validator_value)}",
    "minimum": lambda error: f"must be at least {error.validator_value}",
    "maximum": lambda error: f"must be at most {error.validator_value}",
    "exclusiveMinimum": lambda error: f"must be above {error.validator_value}",
    "exclusiveMaximum": lambda error: f"must be below {error.validator_value}",
    "minLength": lambda error: f"must have at least {error.validator_value} character(s)",
    "minItems": lambda error: f"must have at least {error.validator_value} item(s)",
}


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
