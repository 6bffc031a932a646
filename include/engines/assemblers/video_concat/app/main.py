"""Parts of each video one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.contracts import OnMissing
from triptych.engines.video.concatenation import join_parts, outputs_of


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    on_missing: OnMissing = "fail" if params["on_missing"] == "fail" else "skip"
    for video in outputs_of(results, params["suffix"], on_missing):
        path = resources().new_folder() / f"joined{video.extension}"
        join_parts(video, path, params["crf"], on_missing=params["on_missing"])
        output.put_file(path, video.name)
        path.unlink()
