"""Results named by number, with an index of what is there and what is missing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.jsontext.paths import pick
from triptych.errors import EngineError

SHOWN = 20


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`<prefix><number><extension>`; where a chunk left several files, a folder `<prefix><number>/` of them."""
    numbered: dict[int, list[Result]] = defaultdict(list)
    for result in results:
        numbered[_number(result, params["index"])].append(result)
    missing = _missing(numbered, params["expected"])
    if missing and params["on_gap"] == "fail":
        listed = ", ".join(map(str, missing[:SHOWN])) + (" ..." if len(missing) > SHOWN else "")
        msg = f"{len(missing)} number(s) have no result: {listed}. Run their chunks again, or set on_gap to report."
        raise EngineError(msg)
    files = [entry for number in sorted(numbered) for entry in _copied(number, numbered[number], output, params)]
    with output.open(params["index_name"]) as out:
        out.write(json.dumps({"files": files, "missing": missing}, ensure_ascii=False, indent=1).encode() + b"\n")


def _number(result: Result, name: str | None) -> int:
    if name is None:
        return result.chunk
    try:
        value = pick(dict(result.metadata), name)
    except KeyError:
        value = None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        msg = f"the chunk's metadata has no whole number {name!r}, but {value!r}. Correct `index`."
        raise result.error(msg)
    return value


def _missing(numbered: Mapping[int, Sequence[Result]], expected: int | None) -> list[int]:
    end = expected if expected is not None else max(numbered, default=-1) + 1
    return [number for number in range(end) if number not in numbered]


def _copied(number: int, results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    chunks = {result.chunk for result in results}
    if len(chunks) > 1:
        msg = f"The chunks {sorted(chunks)} have the same number {number}. Let `index` name what differs."
        raise EngineError(msg)
    stem = f"{params['prefix']}{number:0{params['digits']}}"
    entries = []
    for result in results:
        name = f"{stem}{PurePosixPath(result.name).suffix}" if len(results) == 1 else f"{stem}/{result.name}"
        output.copy(result, name)
        origin = {"chunk": result.chunk, "size": result.size, "sha256": result.sha256}
        entries.append({"index": number, "name": name, **origin})
    return entries
