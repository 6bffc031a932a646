"""Clips of each film by number of scene, with chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.video.concatenation import by_film, join_pieces
from triptych.errors import EngineError


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    for film, clips in by_film(results).items():
        numbered = {int(clip.metadata.get("index", place)): clip for place, clip in enumerate(clips)}
        wanted = sorted(numbered if params["scenes"] is None else params["scenes"])
        missing = [number for number in wanted if number not in numbered]
        if missing:
            msg = f"{film}: there is no scene {missing[0]}; there are {', '.join(map(str, sorted(numbered)))}."
            raise EngineError(msg)
        name = PurePosixPath(film)
        path = resources().new_folder() / f"scenes{name.suffix}"
        titles = [_title(params["title"], number, numbered[number]) for number in wanted]
        join_pieces(film, [numbered[number] for number in wanted], path, params["crf"], titles)
        output.put_file(path, f"{name.stem}{params['suffix']}{path.suffix}")
        path.unlink()


def _title(form: str, number: int, clip: Result) -> str:
    start = clip.metadata.get("span", {}).get("start_s", 0)
    return form.replace("{number}", str(number + 1)).replace("{start}", f"{start:.1f}")
