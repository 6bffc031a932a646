"""JSON compared by value: the order of keys, white space and how a number is written count for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from triptych.local.testing.difference import Difference, excerpts
from triptych.local.testing.numbers import close
from triptych.schemas.diagnostics import Json

_LINES = (".jsonl", ".ndjson")


def compare_json(name: str, got: Path, expected: Path, relative: float, absolute: float) -> Difference | None:
    """The first value that differs, by its path; of JSON Lines (`.jsonl`, `.ndjson`) each line is an item of a list."""
    values = []
    for path, what in ((expected, "what is expected"), (got, "what the job made")):
        try:
            values.append(_read(path, name))
        except (ValueError, RecursionError) as error:
            return Difference(name, message=f"{what} is no JSON: {error}.")
    found = list(_differences(values[0], values[1], "$", relative, absolute))
    if not found:
        return None
    place, wanted, made = found[0]
    return Difference(name, place, *excerpts(wanted, made), more=len(found) - 1)


def _read(path: Path, name: str) -> Json:
    text = path.read_text("utf-8")
    if name.endswith(_LINES):
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    value: Json = json.loads(text)
    return value


def _differences(
    expected: Json, got: Json, place: str, relative: float, absolute: float
) -> Iterator[tuple[str, str, str]]:
    """(path, expected, got) of every value that differs."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in {**expected, **got}:
            inner = f"{place}.{key}"
            if key in expected and key in got:
                yield from _differences(expected[key], got[key], inner, relative, absolute)
            else:
                yield inner, _shown(expected, key), _shown(got, key)
    elif isinstance(expected, list) and isinstance(got, list):
        for at, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from _differences(one, other, f"{place}.{at}", relative, absolute)
        if len(expected) != len(got):
            yield place, f"{len(expected):,} item(s)", f"{len(got):,} item(s)"
    elif not _is_same(expected, got, relative, absolute):
        yield place, json.dumps(expected, ensure_ascii=False), json.dumps(got, ensure_ascii=False)


def _shown(value: dict[str, Json], key: str) -> str:
    return json.dumps(value[key], ensure_ascii=False) if key in value else "(no such key)"


def _is_same(one: Json, other: Json, relative: float, absolute: float) -> bool:
    """Python takes true for 1; JSON does not."""
    if isinstance(one, bool) or isinstance(other, bool) or not (_is_number(one) and _is_number(other)):
        return type(one) is type(other) and one == other
    assert isinstance(one, int | float)
    assert isinstance(other, int | float)
    return one == other or close(one, other, relative, absolute)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float)
