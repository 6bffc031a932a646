"""Each point of a parameter space as a chunk of JSON: `{"params": {...}, "seed": 7, "replicate": 0}`."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.errors import JobSpecError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Points in order (the last parameter of a grid changes fastest), each with its replicates; seeds count up."""
    if any(source.size for source in sources):
        msg = "dataSource: sweep takes no source; its chunks hold parameters. Leave the source empty."
        raise JobSpecError(msg)
    number = 0
    for index, point in enumerate(_points(params)):
        for replicate in range(params["replicates"]):
            about = {"point": index, "replicate": replicate, "replicates": params["replicates"], "params": point}
            seed = params["seed"] + number
            data = json.dumps({"params": point, "seed": seed, "replicate": replicate}, ensure_ascii=False).encode()
            name = f"point_{index:06d}_{replicate}.json"
            yield Chunk.of_bytes(data, name=name, items=1, metadata={**about, "seed": seed})
            number += 1


def _points(params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    space = params["space"]
    if params["mode"] == "list":
        if not params["points"]:
            _refuse("points", "is empty; list mode needs the parameters of each point.")
        yield from params["points"]
        return
    if not space:
        _refuse("space", 'is empty; name parameters and their values, such as {"rate": [0.1, 0.01]}.')
    if params["mode"] == "grid":
        ranges = [name for name, values in space.items() if isinstance(values, dict)]
        if ranges:
            _refuse(f"space.{ranges[0]}", "is a range; a grid needs a list of values. Or set mode to random.")
        for values in itertools.product(*space.values()):
            yield dict(zip(space, values, strict=True))
        return
    # Only `random` itself is promised to draw the same in every version of Python.
    draw = random.Random(params["seed"]).random
    for _ in range(params["samples"]):
        yield {name: _drawn(name, values, draw()) for name, values in space.items()}


def _drawn(name: str, values: Any, share: float) -> Any:
    """The value at `share`, in [0, 1), of a list or a range."""
    if isinstance(values, list):
        return values[int(share * len(values))]
    low, high = values["low"], values["high"]
    is_log = values.get("scale") == "log"
    if low >= high or (is_log and low <= 0):
        _refuse(f"space.{name}", "must have high above low, and low above 0 on a log scale.")
    if values.get("integer"):
        low, high = math.ceil(low), math.floor(high) + 1
    value = math.exp(math.log(low) + share * (math.log(high) - math.log(low))) if is_log else low + share * (high - low)
    return int(value) if values.get("integer") else value


def _refuse(name: str, reason: str) -> None:
    msg = f"params.partitioner.{name}: {reason}"
    raise JobSpecError(msg)
