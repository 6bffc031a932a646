"""Runs of one spoken language, cut in the pauses between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.audio.model import Audio
from triptych.engines.audio.splitting import Span, audio_chunks
from triptych.engines.speech.language_runs import Run, language_detector, runs
from triptych.engines.speech.voice_activity import utterances

NO_SPEECH = "zxx"
"""ISO 639-2: no linguistic content."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    return audio_chunks(sources, params, partial(_spans, detect=language_detector(params["detector"])))


def _spans(audio: Audio, params: Mapping[str, Any], *, detect: Any) -> Iterator[Span]:
    spoken = utterances(audio, params["gap_ms"] / 1000, params["window_seconds"], params["speech_level"])
    found = list(runs(spoken, detect, params["min_confidence"], params["min_seconds"]))  # A few bytes per run.
    if not found:
        yield Span(0, audio.frames, {"language": NO_SPEECH, "speech_s": 0.0})
        return
    start = 0
    for run, following in zip(found, [*found[1:], None], strict=True):
        end = audio.frames if following is None else round((run.end_s + following.start_s) / 2 * audio.rate)
        yield Span(start, end, _about(run))
        start = end


def _about(run: Run) -> dict[str, Any]:
    return {"language": run.language, "confidence": round(run.confidence, 3), "speech_s": round(run.speech_s, 3)}
