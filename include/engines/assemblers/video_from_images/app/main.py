"""Pictures one after the other as a film; one is in memory at a time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.contracts import PART, PARTS, SOURCE_INDEX, named_results, require_all_sources
from triptych.engines.images.eight_bits import rgb_pixels
from triptych.engines.images.vips import Pixels, limit_cache
from triptych.engines.video.stills import write_stills


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    limit_cache()
    chosen = named_results(results, params["results"])
    if params["on_missing"] == "fail":
        _require_all(chosen)
    ordered = sorted(chosen, key=_by_chunk if params["order"] == "chunk" else _by_name)
    if params["order"] == "name":
        _require_names(ordered)
    if not ordered:
        return
    path = resources().new_folder() / f"film.{params['format']}"
    write_stills(path, _pictures(ordered), Fraction(params["frame_rate"]), params["crf"])
    output.put_file(path, f"{params['name']}.{params['format']}")


def _numbered(name: str) -> list[tuple[int, str]]:
    """A key by which `f10.png` comes behind `f2.png`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _by_chunk(result: Result) -> tuple[int, list[tuple[int, str]]]:
    return result.chunk, _numbered(result.name)


def _by_name(result: Result) -> list[tuple[int, str]]:
    return _numbered(result.name)


def _require_names(ordered: Sequence[Result]) -> None:
    """Raises a result's error where another has its name: nobody could tell which comes first."""
    for before, result in pairwise(ordered):
        if _by_name(before) == _by_name(result):
            text = f"has the number of chunk {before.chunk}, {before.name!r}. Set order to chunk."
            raise result.error(text)


def _require_all(results: Sequence[Result]) -> None:
    """Raises a result's error where a chunk before it, a part of its source, or all of a source left no picture."""
    require_all_sources(results)
    expected = 0
    left: defaultdict[int, set[int]] = defaultdict(set)
    for result in results:
        if result.chunk > expected:
            text = f"chunk {expected}, before it, left no picture. Run that again, or set on_missing to skip."
            raise result.error(text)
        expected = result.chunk + 1
        if PARTS in result.metadata:
            left[result.metadata[SOURCE_INDEX]].add(result.metadata[PART])
    for result in results:
        parts = result.metadata.get(PARTS)
        if parts is not None and (lost := parts - len(left[result.metadata[SOURCE_INDEX]])):
            text = f"of the {parts} parts of its source, {lost} left no picture. Run those chunks again."
            raise result.error(text)


def _pictures(results: Sequence[Result]) -> Iterator[Pixels]:
    """Of each its rows of red, green and blue; raises a result's error where it is no picture of the first's size."""
    width = height = 0
    for result in results:
        pixels = rgb_pixels(result)
        own = (pixels.shape[1], pixels.shape[0])
        width, height = (width, height) if width else own
        if own != (width, height):
            text = f"is {own[0]} x {own[1]}, and the first picture {width} x {height}. Make all of one size."
            raise result.error(text)
        yield pixels
