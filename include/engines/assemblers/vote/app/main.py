"""For each file name, the result that most chunks agree on; a tie or too few is no agreement."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.jsontext.paths import pick
from triptych.errors import EngineError

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Vote:
    """What one chunk says: a digest, JSON text, or a number."""

    result: Result
    value: Any


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """Each winner under its own name, and `report_name`; of numbers the lower median of those that agree."""
    replicas = _replicas(results)
    report, undecided = [], []
    for name in sorted({result.name for result in results}):
        votes = [Vote(result, _value(result, params)) for result in results if result.name == name]
        camps = sorted(_camps(votes, params), key=len, reverse=True)
        decided = len(camps[0]) >= params["quorum"] * replicas and (len(camps) == 1 or len(camps[0]) > len(camps[1]))
        report.append(_entry(name, camps, replicas, decided=decided))
        if decided:
            output.copy(camps[0][(len(camps[0]) - 1) // 2].result, name)
        else:
            undecided.append(f"{name!r}: at most {len(camps[0])} of {replicas} agree")
    if undecided and params["without_quorum"] == "fail":
        msg = (
            f"No quorum of {params['quorum']:g}: {'; '.join(undecided[:5])}. Run more replicas, or widen the tolerance."
        )
        raise EngineError(msg)
    with output.open(params["report_name"]) as out:
        out.write(json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")


def _replicas(results: Sequence[Result]) -> int:
    """As many as the partitioner made, when it says so; else the chunks that have results."""
    told = {result.metadata["replicas"] for result in results if "replicas" in result.metadata}
    return max(map(int, told)) if told else len({result.chunk for result in results})


def _value(result: Result, params: Mapping[str, Any]) -> Any:
    if params["by"] == "content":
        return result.sha256
    if result.size > MAX_DOCUMENT_BYTES:
        msg = f"chunk {result.chunk}, {result.name!r}: {result.size} bytes are too many to compare by {params['by']}."
        raise EngineError(msg)
    try:
        value = pick(json.loads(b"".join(result.stream())), params["field"])
    except (ValueError, KeyError) as error:
        msg = f"chunk {result.chunk}, {result.name!r}: no JSON with a field {params['field']!r} ({error})."
        raise EngineError(msg) from error
    if params["by"] == "field":
        return json.dumps(value, sort_keys=True)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        msg = f"chunk {result.chunk}, {result.name!r}: {params['field']!r} is {value!r}, which is no finite number."
        raise EngineError(msg)
    return value


def _camps(votes: Sequence[Vote], params: Mapping[str, Any]) -> list[list[Vote]]:
    """Who agrees: equal values; of numbers the largest set within the tolerance first, then of the rest."""
    if params["by"] != "number":
        equal: dict[Any, list[Vote]] = {}
        for vote in votes:
            equal.setdefault(vote.value, []).append(vote)
        return list(equal.values())
    left = sorted(votes, key=lambda vote: (vote.value, vote.result.chunk))
    camps = []
    while left:
        first, end = max(_windows(left, params), key=lambda window: window[1] - window[0])
        camps.append(left[first:end])
        left = left[:first] + left[end:]
    return camps


def _windows(votes: Sequence[Vote], params: Mapping[str, Any]) -> Iterable[tuple[int, int]]:
    """For each vote, the run of sorted votes from it on that all agree, as indices [first, end)."""
    end = 0
    for first, vote in enumerate(votes):
        end = max(end, first + 1)
        while end < len(votes) and _agree(vote.value, votes[end].value, params):
            end += 1
        yield first, end


def _agree(low: float, high: float, params: Mapping[str, Any]) -> bool:
    scale = max(abs(low), abs(high)) if params["relative"] else 1
    return bool(high - low <= params["tolerance"] * scale)


def _entry(name: str, camps: Sequence[Sequence[Vote]], replicas: int, *, decided: bool) -> dict[str, Any]:
    told = [{"value": camp[0].value, "chunks": sorted(vote.result.chunk for vote in camp)} for camp in camps]
    about = {"name": name, "replicas": replicas, "votes": sum(map(len, camps)), "decided": decided}
    return {**about, "winner": told[0] if decided else None, "others": told[1:] if decided else told}
