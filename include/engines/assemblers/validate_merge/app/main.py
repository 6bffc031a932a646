"""Records of all results in one file, each judged by a JSON Schema; one record in memory at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from jsonschema import SchemaError
from jsonschema.validators import Draft202012Validator, validator_for

from triptych.engines import Output, Result
from triptych.engines.json_records import Record, json_records
from triptych.errors import EngineError, JobSpecError
from triptych.storage import Writer

SHOWN = 5


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`name` has the valid records in order of chunk; `report_name` their counts."""
    judge = _judge(params["schema"])
    valid: Counter[int] = Counter()
    invalid: Counter[int] = Counter()
    shown: list[str] = []
    with ExitStack() as files:
        merged = Merged(files.enter_context(output.open(params["name"])), params["name"])
        quarantine = None
        for result, record in _records(results):
            reasons = [record.fault] if record.fault else judge(record.value)
            if not reasons:
                valid[result.chunk] += 1
                merged.add(record.value)
                continue
            invalid[result.chunk] += 1
            if params["invalid"] == "quarantine":
                quarantine = quarantine or files.enter_context(output.open(params["quarantine_name"]))
                quarantine.write(_dump(_refused(result, record, reasons)) + b"\n")
            elif params["invalid"] == "fail" and len(shown) < SHOWN:
                shown.append(f"chunk {result.chunk}, {result.name!r}, {record.place}: {'; '.join(reasons)}")
        merged.end()
    if shown:
        remedy = "Correct the app, or set invalid to quarantine or drop."
        raise EngineError("\n".join([f"{invalid.total()} record(s) do not meet the schema. {remedy}", *shown]))
    with output.open(params["report_name"]) as report:
        report.write(json.dumps(_counts(valid, invalid), indent=1).encode() + b"\n")


class Merged:
    """JSON Lines, or one array where the file's name says so."""

    def __init__(self, out: Writer, name: str) -> None:
        self._out = out
        self._is_array = name.lower().endswith(".json")
        self._any = False

    def add(self, value: Any) -> None:
        before = (b",\n" if self._any else b"[\n") if self._is_array else b""
        self._out.write(before + _dump(value) + (b"" if self._is_array else b"\n"))
        self._any = True

    def end(self) -> None:
        if self._is_array:
            self._out.write(b"\n]\n" if self._any else b"[]\n")


def _records(results: Sequence[Result]) -> Iterator[tuple[Result, Record]]:
    for result in results:
        for record in json_records(result):
            yield result, record


def _judge(schema: Any) -> Callable[[Any], list[str]]:
    """What a record's faults are; JobSpecError when the schema is none."""
    kind = validator_for(schema, Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        msg = f"params.assembler.schema: is no JSON Schema: {error.message}."
        raise JobSpecError(msg) from error
    validator = kind(schema)

    def faults(value: Any) -> list[str]:
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    return faults


def _refused(result: Result, record: Record, reasons: Sequence[str]) -> dict[str, Any]:
    about = {"chunk": result.chunk, "file": result.name, "place": record.place, "reasons": list(reasons)}
    return {**about, "record": record.value}


def _counts(valid: Counter[int], invalid: Counter[int]) -> dict[str, Any]:
    chunks = [{"chunk": n, "valid": valid[n], "invalid": invalid[n]} for n in sorted({*valid, *invalid})]
    return {"valid": valid.total(), "invalid": invalid.total(), "chunks": chunks}


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
