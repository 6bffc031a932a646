"""Values inside JSON by dotted path; needs no library, so that engines that read no records need none."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any] | list[Any] | str | int | float | bool | None
"""A value as JSON knows them."""


def pick(record: Json, name: str) -> Any:
    """The value at `a.b.0` (keys and list indices); KeyError when there is none. An empty name is the whole."""
    value: Any = record
    for part in filter(None, name.split(".")):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (IndexError, TypeError, ValueError) as error:
            raise KeyError(name) from error
    return value
