"""Clips of each video by number of scene, with chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.contracts import OnMissing, Part
from triptych.engines.video.concatenation import join_parts, outputs_of
from triptych.engines.video.segment import VideoSegment
from triptych.errors import EngineError


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    # Of chosen scenes, only these have to be there.
    on_missing: OnMissing = params["on_missing"] if params["scenes"] is None else "skip"
    for video in outputs_of(results, params["suffix"], on_missing):
        wanted = sorted(video.parts if params["scenes"] is None else params["scenes"])
        missing = [number for number in wanted if number not in video.parts]
        if missing:
            there = ", ".join(map(str, sorted(video.parts)))
            msg = f"{video.name}: there is no scene {missing[0]}; there are {there}. Choose of these."
            raise EngineError(msg)
        path = resources().new_folder() / f"scenes{video.extension}"
        clips = [video.parts[number] for number in wanted]
        titles = [_title(params["title"], number, clip) for number, clip in zip(wanted, clips, strict=True)]
        chosen = replace(video, parts=dict(zip(wanted, clips, strict=True)))
        join_parts(chosen, path, params["crf"], titles)
        output.put_file(path, video.name)
        path.unlink()


def _title(template: str, number: int, clip: Part[VideoSegment]) -> str:
    start_s = clip.place.start_s if clip.place else 0.0
    return template.replace("{number}", str(number + 1)).replace("{start}", f"{start_s:.1f}")
