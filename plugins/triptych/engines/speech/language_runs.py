"""Which language is spoken: detectors by name, and the runs of one language that their answers make.

A detector is a callable that takes float32 samples of one channel at SPEECH_RATE, and returns a BCP 47 code ("und"
where it cannot tell) and how sure it is (0 to 1). A package offers one as an entry point of GROUP; the caller of a
job names it. Only declared ones can be named, as a caller must not choose what code a worker imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from triptych.engines.runtime.resources import resources
from triptych.engines.speech.voice_activity import Utterance
from triptych.engines.speech.whisper import Whisper
from triptych.errors import EngineError, JobSpecError

Detector = Callable[[Any], tuple[str, float]]

GROUP = "triptych.language_detectors"


@dataclass(frozen=True)
class Run:
    """Speech of one language without another in it; `speech_s` is its length without pauses."""

    language: str
    start_s: float
    end_s: float
    speech_s: float
    confidence: float


def language_detector(name: str) -> Detector:
    """The detector of that name. Raises JobSpecError with the names there are."""
    if name == "whisper":
        return Whisper(resources().new_folder())
    declared = {point.name: point for point in entry_points(group=GROUP)}
    if name not in declared:
        known = ", ".join(sorted({"whisper", *declared}))
        msg = (
            f"params.partitioner.detector: there is no {name!r}; there are: {known}. "
            f"Install a package that declares it as an entry point {GROUP!r}."
        )
        raise JobSpecError(msg)
    detector: Detector = declared[name].load()
    return detector


def runs(utterances: Iterable[Utterance], detect: Detector, min_confidence: float, min_seconds: float) -> Iterator[Run]:
    """Utterances as runs of one language, in order; memory is bounded by the number of runs, not by their length.

    An utterance that is less sure than `min_confidence`, or a run with less than `min_seconds` of speech, belongs to
    the run before it, and the first to the one behind it.
    """
    done: Run | None = None
    current: Run | None = None
    for said in utterances:
        language, confidence = _judged(detect, said)
        length = said.end_s - said.start_s
        if current and (confidence < min_confidence or language == current.language):
            current = _joined(current, Run(current.language, said.start_s, said.end_s, length, confidence))
            continue
        done, given = _settled(done, current, min_seconds)
        if given:
            yield given
        current = Run(language, said.start_s, said.end_s, length, confidence)
    done, given = _settled(done, current, min_seconds)
    if given:
        yield given
    if done:
        yield done


def _settled(done: Run | None, current: Run | None, min_seconds: float) -> tuple[Run | None, Run | None]:
    """The run that later ones may join, and the one before it when no later one may."""
    if current is None or done is None:
        return done or current, None
    if done.speech_s < min_seconds:
        return _joined(current, done), None
    if current.speech_s < min_seconds or current.language == done.language:
        return _joined(done, current), None
    return current, done


def _joined(main: Run, other: Run) -> Run:
    """Both as `main`'s language; the confidence is the mean over the speech."""
    speech = main.speech_s + other.speech_s
    confidence = (main.confidence * main.speech_s + other.confidence * other.speech_s) / speech
    start, end = min(main.start_s, other.start_s), max(main.end_s, other.end_s)
    return Run(main.language, start, end, speech, confidence)


def _judged(detect: Detector, said: Utterance) -> tuple[str, float]:
    """The detector's answer, if it is one: it may come from any package."""
    language, confidence = detect(said.samples)
    if not isinstance(language, str) or not language or not 0 <= confidence <= 1:
        msg = f"The language detector gave {language!r}, {confidence!r}; it must give a code and a number of 0 to 1."
        raise EngineError(msg)
    return language, float(confidence)
