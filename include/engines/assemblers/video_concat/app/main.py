"""Parts of each video one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.video.concatenation import join_parts, outputs_of


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    for video in outputs_of(results, params["suffix"], params["on_missing"]):
        path = resources().new_folder() / f"joined{video.extension}"
        join_parts(video.name, list(video.parts.values()), path, params["crf"])
        output.put_file(path, video.name)
        path.unlink()
