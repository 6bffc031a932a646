"""For each file name, the result that most chunks agree on; a tie or too few is no agreement."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from triptych.engines import Output, Result
from triptych.engines.jsontext.paths import pick
from triptych.engines.reduction.replicas import Replica
from triptych.errors import EngineError

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Vote:
    """What one chunk says: a digest, JSON text, or a number."""

    result: Result
    value: str | float

    @property
    def number(self) -> float:
        """The value where votes are compared by number; a whole one stays whole."""
        return cast("float", self.value)


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
    if undecided and params["on_no_quorum"] == "fail":
        msg = (
            f"No quorum of {params['quorum']:g}: {'; '.join(undecided[:5])}. Run more replicas, or widen the tolerance."
        )
        raise EngineError(msg)
    with output.open(params["report_name"]) as out:
        out.write(json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")


def _replicas(results: Sequence[Result]) -> int:
    """As many as `replicate` made; of another partitioner's chunks, as many as have results."""
    replicas = [Replica.from_metadata(result).replicas for result in results if "replica" in result.metadata]
    return max(replicas, default=len({result.chunk for result in results}))


def _value(result: Result, params: Mapping[str, Any]) -> str | float:
    if params["by"] == "content":
        return result.sha256
    if result.size > MAX_DOCUMENT_BYTES:
        text = f"{result.size} bytes are too many to compare by {params['by']}. Compare by content."
        raise result.error(text)
    try:
        value = pick(json.loads(b"".join(result.stream())), params["field"])
    except KeyError as error:
        text = f"no JSON with a field {params['field']!r}: there is none."
        raise result.error(text) from error
    except json.JSONDecodeError as error:
        text = f"no JSON with a field {params['field']!r}: line {error.lineno}, column {error.colno} is none."
        raise result.error(text) from error
    except ValueError as error:
        text = f"no JSON with a field {params['field']!r}: it is no UTF-8, or a number is too long."
        raise result.error(text) from error
    if params["by"] == "field":
        return json.dumps(value, sort_keys=True)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        text = f"{params['field']!r} is {value!r}, which is no finite number."
        raise result.error(text)
    return value


def _camps(votes: Sequence[Vote], params: Mapping[str, Any]) -> list[list[Vote]]:
    """Who agrees: equal values; of numbers the largest set within the tolerance first, then of the rest."""
    if params["by"] != "number":
        equal: dict[str | float, list[Vote]] = {}
        for vote in votes:
            equal.setdefault(vote.value, []).append(vote)
        return list(equal.values())
    left = sorted(votes, key=lambda vote: (vote.number, vote.result.chunk))
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
        while end < len(votes) and _agree(vote.number, votes[end].number, params):
            end += 1
        yield first, end


def _agree(low: float, high: float, params: Mapping[str, Any]) -> bool:
    scale = max(abs(low), abs(high)) if params["relative"] else 1
    return bool(high - low <= params["tolerance"] * scale)


def _entry(name: str, camps: Sequence[Sequence[Vote]], replicas: int, *, decided: bool) -> dict[str, Any]:
    said = [{"value": camp[0].value, "chunks": sorted(vote.result.chunk for vote in camp)} for camp in camps]
    counts = {"name": name, "replicas": replicas, "votes": sum(map(len, camps)), "decided": decided}
    return {**counts, "winner": said[0] if decided else None, "others": said[1:] if decided else said}
