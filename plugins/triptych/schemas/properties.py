"""The parameters that a schema describes, one by one: for forms, lists and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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


def type_text(schema: Mapping[str, Any], quote: str = "") -> str:
    """What a property may be, for people: `integer or null`; of an enumeration its values, each in `quote`."""
    if isinstance(schema.get("enum"), list):
        return ", ".join(f"{quote}{value}{quote}" for value in schema["enum"])
    types = schema.get("type", "any")
    return " or ".join(map(str, types)) if isinstance(types, list) else str(types)
