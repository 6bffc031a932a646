"""Pieces of each source one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.video_join import by_source, join_pieces


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    for source, pieces in by_source(results).items():
        name = PurePosixPath(source)
        path = resources().new_folder() / f"joined{name.suffix or '.mkv'}"
        join_pieces(source, pieces, path, params["crf"])
        output.put_file(path, f"{name.stem}{params['suffix']}{path.suffix}")
        path.unlink()
