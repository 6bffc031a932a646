"""Transcripts of each source's chunks as one file of subtitles, at the source's times."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.audio.span import AudioSpan
from triptych.engines.contracts import Part, SourceParts, by_source, named_results, output_names
from triptych.engines.speech.cues import Cue, without_doubles
from triptych.engines.speech.subtitle_reading import read_cues
from triptych.engines.speech.subtitle_writing import written_cues

TOLERANCE_S = 0.5
"""So far beyond its chunk's end a cue may begin: models round."""
_log = logging.getLogger(__name__)


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    groups = by_source(named_results(results, params["results"]), AudioSpan, on_missing=params["on_missing"])
    names = output_names([group.source for group in groups], f".{params['format']}", params["suffix"])
    for group, name in zip(groups, names, strict=True):
        with output.open(name) as out:
            for block in written_cues(_joined(group, params), params["format"]):
                out.write(block)


def _joined(group: SourceParts[AudioSpan], params: Mapping[str, Any]) -> Iterator[Cue]:
    """All cues by their beginning; in memory are those of a chunk, and of the one in front what may yet be a double."""
    held: list[Cue] = []
    number = None
    for part in group.parts:
        span = _span(part, group)
        cues = _placed(part.result, span, params["times"])
        overlap_s = span.overlap_frames / span.sample_rate if span.sample_rate else 0.0
        if overlap_s and params["on_overlap"] == "drop" and number == part.number - 1:
            count = len(held) + len(cues)
            held, cues = without_doubles(held, cues, span.start_s, span.start_s + overlap_s)
            _log.info("%s: left out %d doubles of the overlap", part.result.label, count - len(held) - len(cues))
        border = span.start_s - 2 * TOLERANCE_S
        yield from (cue for cue in held if cue.start_s < border)
        held = sorted([*(cue for cue in held if cue.start_s >= border), *cues], key=_start)
        number = part.number
    yield from held


def _start(cue: Cue) -> float:
    return cue.start_s


def _span(part: Part[AudioSpan], group: SourceParts[AudioSpan]) -> AudioSpan:
    """Raises the result's error where one of several chunks does not know its time."""
    assert part.place is not None  # `by_source` was given no name for what has none.
    if "start_s" not in part.result.metadata and (len(group.parts) > 1 or part.number):
        text = "its chunk's metadata has no 'start_s', so nobody knows when it begins. Cut by time: audio_silence, say."
        raise part.result.error(text)
    return part.place


def _placed(result: Result, span: AudioSpan, times: str) -> list[Cue]:
    """At the source's times, in order; raises the result's error for a cue that begins outside of its chunk."""
    cues = sorted(read_cues(result), key=_start)
    first_s = 0.0 if times == "chunk" else span.start_s
    last_s = None if span.end_s is None else first_s + span.end_s - span.start_s
    for cue in cues:
        is_late = last_s is not None and cue.start_s > last_s + TOLERANCE_S
        if is_late or cue.start_s < first_s - TOLERANCE_S:
            other = "source" if times == "chunk" else "chunk"
            until = "" if last_s is None else f" to {last_s:g} s"
            text = f"{cue.location}: a cue begins at {cue.start_s:g} s, and the chunk is from {first_s:g} s{until}."
            msg = f"{text} Correct the app, or say times: {other} where they count from the beginning of the {other}."
            raise result.error(msg)
    return cues if times == "source" else [cue.shifted(span.start_s) for cue in cues]
