"""`{{ ds }}` and its like in a template's own text: the run's dates by name, and nothing else. No expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triptych.errors import JobSpecError
from triptych.schemas.diagnostics import Json, Path

NAMES = ("ds", "ds_nodash", "ts", "ts_nodash", "logical_date", "data_interval_start", "data_interval_end")
"""As Airflow's users know them."""
_PLACE = re.compile(r"\{\{\{\{|\{\{(.*?)\}\}|\{\{", re.DOTALL)
"""A brace pair that is meant as such (written twice), a name in braces, or a pair that nothing ends."""


def fill(value: Any, dates: Mapping[str, str]) -> Any:
    """A JSON value with the dates in every text of it, at any depth; keys stay as they are.

    JobSpecError for a name that this run has no date for.
    """
    return _map_texts(value, lambda text: _PLACE.sub(lambda found: _date(found, text, dates), text))


def name_errors(value: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """(path, sentence) for what stands in braces in a template and is none of NAMES."""
    if isinstance(value, str):
        for found in _PLACE.finditer(value):
            if found[0] != "{{{{" and (found[1] is None or found[1].strip() not in NAMES):
                yield path, f"{found[0][:80]!r}: {_allowed()}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from name_errors(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from name_errors(item, (*path, key))


def _date(found: re.Match[str], text: str, dates: Mapping[str, str]) -> str:
    if found[0] == "{{{{":
        return "{{"
    name = (found[1] or "").strip()
    if name in dates:
        return dates[name]
    why = "this run has no logical date" if name in NAMES else _allowed()
    msg = f"{json.dumps(text[:200])}: {found[0][:80]!r}: {why}"
    raise JobSpecError(msg)


def _allowed() -> str:
    names = ", ".join(NAMES)
    return f"only names of the run's dates can stand in braces ({names}), no expressions. Write `{{{{{{{{` for `{{{{`."


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_texts(item, change) for item in value]
    if isinstance(value, Mapping):
        return {key: _map_texts(item, change) for key, item in value.items()}
    return value
