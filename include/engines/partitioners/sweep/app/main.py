"""Each point of a parameter space as a chunk: `{"params": {...}, "seed": 7, "replicate": 0}`, alone or with data."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.contracts import SOURCE_INDEX
from triptych.engines.tables.cutting.rows import row_chunks
from triptych.errors import JobSpecError
from triptych.storage.copying import file_blocks

NO_SOURCE = "none:"
"""Where the one empty source lies that a job without a source has."""


@dataclass(frozen=True)
class Point:
    """One run of one point: `seed` is its own."""

    number: int
    params: Mapping[str, Any]
    replicate: int
    seed: int

    @property
    def name(self) -> str:
        return f"point_{self.number:06d}_{self.replicate}"

    def to_line(self) -> bytes:
        """What the app reads."""
        about = {"params": self.params, "seed": self.seed, "replicate": self.replicate}
        return json.dumps(about, ensure_ascii=False).encode()


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Points in order (the last parameter of a grid changes fastest), each with its replicates; seeds count up.

    With sources, all points of the first part of the data, then all of the next; a point has one seed for all parts.
    """
    filled = [source for source in sources if source.size]
    is_alone = all(source.uri == NO_SOURCE for source in sources)
    count = _count(params)
    _refuse_many(count, 1 if is_alone or params["parts"] != "sources" else len(filled), params)
    if is_alone:
        for point in _runs(params):
            yield Chunk.of_bytes(point.to_line(), name=f"{point.name}.json", items=1, metadata=_metadata(point, params))
        return
    for number, part in enumerate(_parts(filled, params)):
        _refuse_many(count, number + 1, params)
        for point in _runs(params):
            metadata = {**part.metadata, **_metadata(point, params), "data_part": number}
            named = replace(part, name=f"{point.name}_{part.name}", metadata=metadata)
            yield from _behind(point, named) if params["layout"] == "point_first" else [named]


def _metadata(point: Point, params: Mapping[str, Any]) -> dict[str, Any]:
    about = {"point": point.number, "replicate": point.replicate, "replicates": params["replicates"]}
    return {**about, "params": point.params, "seed": point.seed}


def _parts(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """The data without a point. None tells its place in a source, as there are others with the same one."""
    if params["parts"] == "rows":
        for chunk in row_chunks(sources, params):
            told = {key: value for key, value in chunk.metadata.items() if key != SOURCE_INDEX}
            yield replace(chunk, metadata=told)
    elif params["parts"] == "sources":
        for source in sources:
            yield Chunk.of_sources([source], name=source.name, items=1, metadata={"source": source.path})
    elif sources:
        files = [{"name": source.path, "size": source.size} for source in sources]
        yield Chunk.of_sources(sources, name="all", items=len(sources), metadata={"files": files})


def _behind(point: Point, part: Chunk) -> Iterator[Chunk]:
    """The part behind a line with the point; of a range chunk nothing is copied."""
    line = point.to_line() + b"\n"
    if part.ranges is not None:
        yield replace(part, prefix=line + part.prefix)
    elif part.path is None:
        yield replace(part, data=line + (part.data or b""))
    else:
        path = _written(line, part.path)
        yield replace(part, path=path)
        path.unlink()
        path.parent.rmdir()


def _written(line: bytes, part: Path) -> Path:
    path = resources().new_folder() / "part"
    with path.open("wb") as out:
        out.write(line)
        out.writelines(file_blocks(part))
    return path


def _runs(params: Mapping[str, Any]) -> Iterator[Point]:
    """Each point's replicates one behind the other."""
    for index, point in enumerate(_points(params)):
        for replicate in range(params["replicates"]):
            yield Point(index, point, replicate, params["seed"] + index * params["replicates"] + replicate)


def _count(params: Mapping[str, Any]) -> int:
    """How many chunks the points are for each part of the data; in a space that `_points` refuses, any number."""
    if params["mode"] == "grid":
        points = math.prod(len(values) for values in params["space"].values())
    else:
        points = params["samples"] if params["mode"] == "random" else len(params["points"])
    return points * int(params["replicates"])


def _refuse_many(count: int, parts: int, params: Mapping[str, Any]) -> None:
    most = params["max_chunks"]
    if count * parts > most:
        several = f" for each of {'at least ' if params['parts'] == 'rows' else ''}{parts} parts of the data"
        _refuse(
            "max_chunks",
            f"the points and their replicates are {count:,}{several if parts > 1 else ''}, {count * parts:,} chunks, "
            f"and {most:,} are the most. Sweep fewer values, cut the data into fewer parts, draw some (mode random), "
            "or raise it.",
        )


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
