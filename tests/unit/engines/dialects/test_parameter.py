"""The parameter `dialect` is written in each engine's own schema, and has one meaning."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from triptych.engines.dialects.dialect import Declared
from triptych.settings import PROJECT


def _dialects() -> dict[str, Any]:
    paths = (PROJECT / "include" / "engines").glob("*/*/schema.json")
    schemas = {path.parent.name: json.loads(path.read_text())["properties"] for path in paths}
    return {engine: properties["dialect"] for engine, properties in schemas.items() if "dialect" in properties}


def test_it_is_the_same_in_all_engines() -> None:
    found = _dialects()
    assert {"rows", "keys", "concat", "parquet"} <= found.keys()
    first = found["rows"]
    assert [engine for engine, dialect in found.items() if dialect != first] == []


def test_its_keys_are_those_that_are_read() -> None:
    assert set(_dialects()["rows"]["properties"]) == {field.name for field in fields(Declared)}
