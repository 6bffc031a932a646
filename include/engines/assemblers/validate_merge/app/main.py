"""Records of all results in one file, each judged by a JSON Schema; a batch of records in memory at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import jsonschema_rs

from triptych.engines import Output, Result
from triptych.engines.jsontext.paths import Json
from triptych.engines.jsontext.records import JsonBatch, json_batches
from triptych.errors import EngineError, JobSpecError
from triptych.storage import Writer

SHOWN = 5


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`name` has the valid records, in the words of the results, in order of chunk; `report_name` their counts."""
    validator = _validator(params["schema"])
    valid: Counter[int] = Counter()
    invalid: Counter[int] = Counter()
    shown: list[str] = []
    with ExitStack() as files:
        merged = Merged(files.enter_context(output.open(params["name"])), params["name"])
        quarantine = None
        for result, batch in _batches(results):
            refused = _judged(batch, validator)
            valid[result.chunk] += len(batch.values) - len(refused)
            merged.add(batch, refused)
            if not refused:
                continue
            invalid[result.chunk] += len(refused)
            if params["on_invalid"] == "quarantine":
                quarantine = quarantine or files.enter_context(output.open(params["quarantine_name"]))
                quarantine.write(b"".join(_refused(result, batch, refused)))
            elif params["on_invalid"] == "fail":
                for index, reasons in [*refused.items()][: SHOWN - len(shown)]:
                    shown.append(f"{result.label}: {batch.location(index)}: {'; '.join(reasons)}")
        merged.end()
    if shown:
        remedy = "Correct the app, or set on_invalid to quarantine or drop."
        raise EngineError("\n".join([f"{invalid.total()} record(s) do not meet the schema. {remedy}", *shown]))
    with output.open(params["report_name"]) as report:
        report.write(json.dumps(_counts(valid, invalid), indent=1).encode() + b"\n")


class Merged:
    """JSON Lines, or one array where the file's name says so."""

    def __init__(self, out: Writer, name: str) -> None:
        self._out = out
        self._is_array = name.lower().endswith(".json")
        self._any = False

    def add(self, batch: JsonBatch, refused: Mapping[int, Sequence[str]]) -> None:
        lines = batch.lines()
        if refused:
            lines = b"".join(text + b"\n" for index, text in enumerate(batch.texts()) if index not in refused)
        if self._is_array and lines:
            lines = (b",\n" if self._any else b"[\n") + lines.removesuffix(b"\n").replace(b"\n", b",\n")
        self._out.write(lines)
        self._any |= bool(lines)

    def end(self) -> None:
        if self._is_array:
            self._out.write(b"\n]\n" if self._any else b"[]\n")


def _batches(results: Sequence[Result]) -> Iterator[tuple[Result, JsonBatch]]:
    for result in results:
        for batch in json_batches(result):
            yield result, batch


def _validator(schema: dict[str, Any] | bool) -> jsonschema_rs.Validator:
    """JobSpecError when the schema is none. What it refers to must be in it: nothing is fetched."""
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=False, offline=True)
    except ValueError as error:
        msg = f"params.assembler.schema: is no JSON Schema: {str(error).splitlines()[0]}."
        raise JobSpecError(msg) from error


def _judged(batch: JsonBatch, validator: jsonschema_rs.Validator) -> dict[int, list[str]]:
    """Which records are refused, and why."""
    refused = {index: [error] for index, error in batch.errors.items()}
    for index, good in enumerate(map(validator.is_valid, batch.values)):
        if not good and index not in refused:
            refused[index] = [_reason(error) for error in validator.iter_errors(batch.values[index])]
    return dict(sorted(refused.items()))


def _reason(error: jsonschema_rs.ValidationError) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return f"${path}: {error.message}"


def _refused(result: Result, batch: JsonBatch, refused: Mapping[int, Sequence[str]]) -> Iterator[bytes]:
    texts = batch.texts()
    for index, reasons in refused.items():
        refusal = {"chunk": result.chunk, "file": result.name, "place": batch.location(index), "reasons": reasons}
        record = _dump(batch.values[index]) if index in batch.errors else texts[index].strip()
        yield _dump(refusal).removesuffix(b"}") + b', "record": ' + record + b"}\n"


def _counts(valid: Counter[int], invalid: Counter[int]) -> dict[str, Any]:
    chunks = [{"chunk": n, "valid": valid[n], "invalid": invalid[n]} for n in sorted({*valid, *invalid})]
    return {"valid": valid.total(), "invalid": invalid.total(), "chunks": chunks}


def _dump(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
