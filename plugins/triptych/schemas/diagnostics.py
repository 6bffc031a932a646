"""What a JSON Schema refuses, in sentences that name the location and say what would be right.

A schema may word one itself: `"errorMessage": "must be major.minor"`, as editors read it, too.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from triptych.schemas.judging import MOST_STEPS, EndlessError, counted_steps, validator
from triptych.schemas.patterns import matches
from triptych.schemas.properties import properties

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

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


Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""Any value that a JSON file may hold."""

Path = tuple[str | int, ...]
"""Keys and indexes from a value down to one part of it; empty for the value itself."""


class Violation(Protocol):
    """What is read of jsonschema's `ValidationError`: the keyword that refused a value, and where both are."""

    validator: str
    validator_value: Any
    instance: Any
    schema: Mapping[str, Any] | bool
    message: str
    path: Sequence[str | int]
    absolute_path: Sequence[str | int]
    schema_path: Sequence[str | int]
    context: Sequence[Violation]


def schema_errors(value: Json, schema: Mapping[str, Any], root: str = "") -> list[str]:
    """`location: what is wrong.` for each error, in order of location; `root` is the name of the value itself."""
    return [f"{dotted(root, path)}: {text}" for path, text in located_errors(value, validator(schema))]


def located_errors(value: Json, by: Validator) -> list[tuple[Path, str]]:
    """(path, sentence) of each error that a jsonschema validator finds, in order of path; it ends, with any schema."""
    from referencing.exceptions import Unresolvable

    try:
        with counted_steps():
            found = sorted(
                cast("Iterable[Violation]", by.iter_errors(value)),
                key=lambda error: list(map(str, error.absolute_path)),
            )
    except (EndlessError, RecursionError):
        return [((), f"cannot be judged by its schema, which takes more than {MOST_STEPS:,} steps: make it simpler.")]
    except Unresolvable as error:
        return [((), f"cannot be judged by its schema: its $ref {error.ref!r} leads nowhere. None is fetched.")]
    # All that lacks in one object, or is too much in it, comes once for each.
    return list(dict.fromkeys(each for error in found for each in _sentences(error)))


def dotted(root: str, path: Path) -> str:
    """A path as messages write it: `$` and `("a", 0)` -> `$.a.0`; without a root `a.0`."""
    return ".".join([*([root] if root else []), *map(str, path)])


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


def _sentences(error: Violation) -> Iterable[tuple[Path, str]]:
    path = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    own = schema.get("errorMessage")
    if isinstance(own, str):
        # A whole sentence may keep a secret: only half a one is followed by the value.
        yield path, own if own.endswith(".") else f"{own}, and is {_shown(error.instance)}."
    elif error.validator == "required" and isinstance(error.validator_value, list):
        named = properties(schema)
        for name in (name for name in error.validator_value if name not in error.instance):
            about = named.get(name, {}).get("description", "")
            yield (*path, name), f"is missing. {about}".rstrip()
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = [key for key in properties(schema) if not key.startswith("$")]
        for name in unknown_keys(error.instance, schema):
            yield (*path, name), f"is unknown.{renamed(name, schema) or nearest_or_all(name, known)}"
    elif (nearest := _nearest(error)) is not None:
        for inner in nearest:
            yield from _sentences(inner)
    elif types := _wrong_types(error):
        *most, last = [TYPES[each] for each in types]
        wanted = f"{', '.join(most)} or {last}" if most else last
        yield path, f"must be {wanted}, and is {_shown(error.instance)}."
    elif error.validator in SENTENCES:
        yield path, f"{SENTENCES[error.validator](error)}, and is {_shown(error.instance)}."
    else:
        yield path, "may not be given." if error.schema is False else f"{cut(error.message)}."


def unknown_keys(value: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """The keys of an object that its schema names neither in `properties` nor by a pattern, in the object's order."""
    patterns, known = schema.get("patternProperties", {}), schema.get("properties", {})
    return [key for key in value if key not in known and not any(matches(pattern, key) for pattern in patterns)]


def _nearest(error: Violation) -> list[Violation] | None:
    """The errors against that alternative of anyOf or oneOf whose type is right and that has fewest."""
    fitting = [errors for errors in _alternatives(error) if not any(map(_is_wrong_itself, errors))]
    return min(fitting, key=len, default=None)


def _is_wrong_itself(error: Violation) -> bool:
    """Whether the value has the wrong type, and not only something in it."""
    return not error.path and bool(_wrong_types(error))


def _wrong_types(error: Violation) -> list[str]:
    """The types that the value itself should have, where it has none of them."""
    if error.validator == "type":
        value = error.validator_value
        types = value if isinstance(value, list) else [value]
        return [each for each in types if isinstance(each, str) and each in TYPES]
    alternatives = _alternatives(error)
    types = [[each for one in errors if not one.path for each in _wrong_types(one)] for errors in alternatives]
    return list(dict.fromkeys(each for some in types for each in some)) if all(types) else []


def _alternatives(error: Violation) -> list[list[Violation]]:
    if error.validator not in ("anyOf", "oneOf"):
        return []
    by_alternative = itertools.groupby(error.context, key=lambda inner: inner.schema_path[0])
    return [list(errors) for _, errors in by_alternative]


def _enum(error: Violation) -> str:
    return f"must be one of {', '.join(map(_shown, error.validator_value))}"


SENTENCES: Mapping[str, Callable[[Violation], str]] = {
    "enum": _enum,
    "const": lambda error: f"must be {_shown(error.validator_value)}",
    "minimum": lambda error: f"must be at least {error.validator_value}",
    "maximum": lambda error: f"must be at most {error.validator_value}",
    "exclusiveMinimum": lambda error: f"must be above {error.validator_value}",
    "exclusiveMaximum": lambda error: f"must be below {error.validator_value}",
    "minLength": lambda error: f"must have at least {error.validator_value} character(s)",
    "maxLength": lambda error: f"must have at most {error.validator_value} character(s)",
    "pattern": lambda error: f"must match the pattern {cut(error.validator_value)}",
    "minItems": lambda error: f"must have at least {error.validator_value} item(s)",
}


def _shown(value: Json) -> str:
    return cut(json.dumps(value, ensure_ascii=False, default=str), SHOWN_CHARACTERS)


def cut(text: str, most: int = 4 * SHOWN_CHARACTERS) -> str:
    """At most so many characters of a text, and `...` where there are more."""
    return text if len(text) <= most else f"{text[:most]}..."
