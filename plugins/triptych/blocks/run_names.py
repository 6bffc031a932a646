"""`{{ ds }}` and its like in a template's own text: what a run knows of itself by name. No expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triptych.errors import JobSpecError
from triptych.schemas.diagnostics import Json, Path

DATES = ("ds", "ds_nodash", "ts", "ts_nodash", "logical_date", "data_interval_start", "data_interval_end")
"""As Airflow's users know them."""
UPSTREAM = ("upstream.uri", "upstream.dag_id", "upstream.run_id")
"""Of the job whose output started the run: where that lies, ending in `/`, and whose it is."""
NAMES = (*DATES, *UPSTREAM)
_PLACE = re.compile(r"\{\{\{\{|\{\{(.*?)\}\}|\{\{", re.DOTALL)
"""A brace pair that is meant as such (written twice), a name in braces, or a pair that nothing ends."""


def fill(value: Any, known: Mapping[str, str]) -> Any:
    """A JSON value with what is `known` for a name in every text of it, at any depth; keys stay as they are.

    JobSpecError for a name that this run knows nothing for.
    """
    return _map_texts(value, lambda text: _PLACE.sub(lambda found: _known(found, text, known), text))


def names_upstream(value: Json) -> bool:
    """Whether a text of the value names something of UPSTREAM."""
    found = list[bool]()

    def look(text: str) -> str:
        found.extend((each[1] or "").strip() in UPSTREAM for each in _PLACE.finditer(text))
        return text

    _map_texts(value, look)
    return any(found)


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


def _known(found: re.Match[str], text: str, known: Mapping[str, str]) -> str:
    if found[0] == "{{{{":
        return "{{"
    name = (found[1] or "").strip()
    if name in known:
        return known[name]
    why = _allowed()
    if name in DATES:
        why = "this run has no logical date"
    elif name in UPSTREAM:
        why = "this run was not started by one output of another job. Launch it with a dataSource of its own."
    msg = f"{json.dumps(text[:200])}: {found[0][:80]!r}: {why}"
    raise JobSpecError(msg)


def _allowed() -> str:
    names = ", ".join(NAMES)
    return f"only what a run knows can stand in braces ({names}), no expressions. Write `{{{{{{{{` for `{{{{`."


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_texts(item, change) for item in value]
    if isinstance(value, Mapping):
        return {key: _map_texts(item, change) for key, item in value.items()}
    return value
