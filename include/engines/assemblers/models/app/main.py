"""Models of all chunks, .npz or .safetensors, as one: the weighted mean of each tensor, and a report of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.api import Input
from triptych.engines.learning.averaging import Weighted, averaged, check_alike
from triptych.engines.learning.chunk_models import chunk_weights, models_by_name
from triptych.engines.learning.npz_files import NpzFile, read_npz, write_npz
from triptych.engines.learning.safetensors_files import SafetensorsFile, read_safetensors, write_safetensors
from triptych.errors import EngineError, JobSpecError

READERS: Mapping[str, Callable[[Input], NpzFile | SafetensorsFile]] = {
    ".npz": read_npz,
    ".safetensors": read_safetensors,
}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """One model for each name that results have, and `name`; nothing where there is no result.

    Raises the result's error for a chunk that left no model of a name, a model unlike the first, and a missing weight.
    """
    if not results:
        return
    models = models_by_name(results, READERS, params["results"])
    weights = chunk_weights(results, params["weight"])
    if params["name"] in models:
        msg = f"params.assembler.name: {params['name']!r} is what a model is called. Name the report otherwise."
        raise JobSpecError(msg)
    told = [_average(name, own, weights, output) for name, own in models.items()]
    with output.open(params["name"]) as out:
        out.write(json.dumps({"models": told}, ensure_ascii=False, indent=1).encode() + b"\n")


def _average(name: str, results: Sequence[Result], weights: Mapping[int, float], output: Output) -> dict[str, Any]:
    """Write the mean of these models; what is to be said of it."""
    read = READERS[PurePosixPath(name).suffix.lower()]
    own = [weights[result.chunk] for result in results]
    if not math.fsum(own):
        msg = f"All {len(own)} models {name!r} weigh 0, and there is no mean of them. Look at what the app writes."
        raise EngineError(msg)
    files = [read(result) for result in results]
    models = [Weighted(file, weight) for file, weight in zip(files, own, strict=True)]
    check_alike(models)
    npz = [file for file in files if isinstance(file, NpzFile)]
    if npz:
        write_npz(output, name, npz, averaged(models))
    else:
        write_safetensors(output, name, [file for file in files if isinstance(file, SafetensorsFile)], averaged(models))
    tensors = [
        {"name": tensor.name, "dtype": tensor.code or str(tensor.dtype), "shape": list(tensor.shape)}
        for tensor in files[0].tensors.values()
    ]
    chunks = [
        {"chunk": result.chunk, "name": result.chunk_name, "weight": weight}
        for result, weight in zip(results, own, strict=True)
    ]
    return {"name": name, "total_weight": math.fsum(own), "chunks": chunks, "tensors": tensors}
