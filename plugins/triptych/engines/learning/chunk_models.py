"""Which results of chunks are models, and how much each chunk's count."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from triptych.engines.api import Result
from triptych.engines.contracts import named_results
from triptych.engines.jsontext.paths import Json, pick
from triptych.engines.runtime.resources import resources
from triptych.harmless import harmless_logger

_JSON_SHARE = 1 / 32
_log = harmless_logger(__name__)


def models_by_name(results: Sequence[Result], endings: Collection[str], wanted: str | None) -> dict[str, list[Result]]:
    """Models by their name, in order of chunk: results that match `wanted`, or all with one of these endings.

    Raises a result's error where no result is a model, and where a chunk left none of a name that others have.
    """
    chosen = named_results(results, wanted)
    found = [each for each in chosen if PurePosixPath(each.name).suffix.lower() in endings]
    others = sorted({repr(each.name) for each in chosen} - {repr(each.name) for each in found})[:10]
    if not found or (wanted is not None and others):
        text = f"is no model: those end in {' or '.join(endings)}, and there are {', '.join(others)}. Save it as one."
        raise chosen[0].error(text)
    if others:
        _log.info("not averaged, as they are no models: %s", ", ".join(others))
    chunks = sorted({result.chunk for result in found})
    names = dict.fromkeys(result.name for result in found)
    models = {name: [result for result in found if result.name == name] for name in names}
    for name, own in models.items():
        if missing := sorted(set(chunks) - {result.chunk for result in own}):
            other = next(result for result in found if result.chunk == missing[0])
            text = f"its chunk left no {name!r}, as others did. Let each chunk leave the same models."
            raise other.error(text)
    return models


def chunk_weights(results: Sequence[Result], wanted: str | None) -> dict[int, float]:
    """Of each chunk: the number at `wanted` (dotted) in a JSON object that it left, else in its metadata; 1 without.

    Raises a result's error where there is none, where there are several, and for what is no finite number from 0 on.
    """
    by_chunk: dict[int, list[Result]] = {}
    for result in results:
        by_chunk.setdefault(result.chunk, []).append(result)
    if wanted is None:
        return dict.fromkeys(by_chunk, 1.0)
    return {chunk: _weight(own, wanted) for chunk, own in by_chunk.items()}


def _weight(results: Sequence[Result], wanted: str) -> float:
    found: list[tuple[Result, object]] = []
    for result in results:
        if PurePosixPath(result.name).suffix.lower() == ".json":
            found += [(result, value) for value in _picked(_read(result), wanted)]
    if not found:
        found = [(results[0], value) for value in _picked(dict(results[0].metadata), wanted)]
    if not found:
        text = f"its chunk has no weight {wanted!r}, neither in a JSON object that it left nor in its metadata."
        msg = f"{text} Let the app write one, or leave params.assembler.weight empty."
        raise results[0].error(msg)
    counts = Counter(repr(value) for _, value in found)
    result, value = found[0]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if len(counts) > 1 or not is_number or not 0 <= float(str(value)) < math.inf or float(str(value)) != value:
        text = f"its chunk has the weight {wanted!r} {' and '.join(counts)}, and it must be one number, 0 or above."
        raise result.error(text)
    return float(str(value))


def _picked(value: Json, wanted: str) -> list[object]:
    try:
        return [pick(value, wanted)]
    except KeyError:
        return []


def _read(result: Result) -> Json:
    resources().share(_JSON_SHARE, "the JSON with its weight").check(result.size, result)
    try:
        value: Json = json.loads(b"".join(result.stream()))
    except (ValueError, RecursionError) as error:
        text = "is no JSON, and may have the model's weight. Correct the app."
        raise result.error(text) from error
    return value
