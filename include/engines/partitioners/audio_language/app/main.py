"""Runs of one spoken language, cut in the pauses between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.audio.model import SeekableAudio
from triptych.engines.audio.opening import open_seekable
from triptych.engines.audio.splitting import audio_chunks
from triptych.engines.speech.language_runs import Detector, LanguageRun, LanguageSpan, language_detector, runs
from triptych.engines.speech.voice_activity import utterances

NO_SPEECH = "zxx"
"""ISO 639-2: no linguistic content."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    detect = language_detector(params["detector"])
    for source in sources:
        with open_seekable(source) as audio:
            yield from audio_chunks(source, audio, _spans(source, audio, detect, params))


def _spans(source: Source, audio: SeekableAudio, detect: Detector, params: Mapping[str, Any]) -> Iterator[LanguageSpan]:
    found = list(_runs(audio, detect, params))  # A few bytes per run.
    if not found:
        yield LanguageSpan.between(source, audio, 0, audio.frames, language=NO_SPEECH, speech_s=0.0)
        return
    start = 0
    for run, following in zip(found, [*found[1:], None], strict=True):
        end = audio.frames if following is None else round((run.end_s + following.start_s) / 2 * audio.rate)
        yield LanguageSpan.between(
            source,
            audio,
            start,
            end,
            language=run.language,
            confidence=round(run.confidence, 3),
            speech_s=round(run.speech_s, 3),
        )
        start = end


def _runs(audio: SeekableAudio, detect: Detector, params: Mapping[str, Any]) -> Iterator[LanguageRun]:
    spoken = utterances(audio, params["min_silence_ms"] / 1000, params["window_s"], params["speech_threshold"])
    return runs(spoken, detect, params["min_confidence"], params["min_segment_s"])
