"""Pieces of each film one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.video.concatenation import by_film, join_pieces


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    for film, pieces in by_film(results).items():
        name = PurePosixPath(film)
        path = resources().new_folder() / f"joined{name.suffix}"
        join_pieces(film, pieces, path, params["crf"])
        output.put_file(path, f"{name.stem}{params['suffix']}{path.suffix}")
        path.unlink()
