"""Which language is spoken: detectors by name, and the runs of one language that their answers make.

A detector is a callable that takes float32 samples of one channel at SPEECH_RATE, and returns a BCP 47 code ("und"
where it cannot tell) and how sure it is (0 to 1). A package offers one as an entry point of GROUP; the caller of a
job names it. Only declared ones can be named, as a caller must not choose what code a worker imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points

from triptych.engines.audio.span import AudioSpan
from triptych.engines.runtime.resources import resources
from triptych.engines.speech.voice_activity import Mono, Utterance
from triptych.engines.speech.weights import model_folder
from triptych.engines.speech.whisper import Whisper
from triptych.errors import EngineError, JobSpecError

Detector = Callable[[Mono], tuple[str, float]]

GROUP = "triptych.language_detectors"


@dataclass(frozen=True, kw_only=True)
class LanguageSpan(AudioSpan):
    """A span of one spoken language: a BCP 47 code, or "zxx" where nobody speaks, which has no confidence.

    `confidence` (0 to 1) is the mean over the speech, of which there are `speech_s`. It depends a little on the
    processor: a model's arithmetic is rounded in another order on each kind.
    """

    language: str
    speech_s: float
    confidence: float | None = None


@dataclass(frozen=True)
class LanguageRun:
    """Speech of one language without another in it; `speech_s` is its length without pauses."""

    language: str
    start_s: float
    end_s: float
    speech_s: float
    confidence: float


def language_detector(name: str) -> Detector:
    """The detector that is built in or declared by this name. Raises JobSpecError with the names there are."""
    if name == "whisper":
        return Whisper(model_folder(resources()))
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


def runs(
    utterances: Iterable[Utterance], detect: Detector, min_confidence: float, min_speech_s: float
) -> Iterator[LanguageRun]:
    """Utterances as runs of one language, in order; memory is bounded by the number of runs, not by their length.

    An utterance that is less sure than `min_confidence`, or a run with less than `min_speech_s` of speech, belongs to
    the run before it, and the first to the one behind it.
    """
    settled: LanguageRun | None = None
    current: LanguageRun | None = None
    for utterance in utterances:
        language, confidence = _judged(detect, utterance)
        length = utterance.end_s - utterance.start_s
        if current and (confidence < min_confidence or language == current.language):
            current = _joined(
                current, LanguageRun(current.language, utterance.start_s, utterance.end_s, length, confidence)
            )
            continue
        settled, given = _settled(settled, current, min_speech_s)
        if given:
            yield given
        current = LanguageRun(language, utterance.start_s, utterance.end_s, length, confidence)
    settled, given = _settled(settled, current, min_speech_s)
    if given:
        yield given
    if settled:
        yield settled


def _settled(
    before: LanguageRun | None, current: LanguageRun | None, min_speech_s: float
) -> tuple[LanguageRun | None, LanguageRun | None]:
    """The run that later ones may join, and the one before it when no later one may."""
    if current is None or before is None:
        return before or current, None
    if before.speech_s < min_speech_s:
        return _joined(current, before), None
    if current.speech_s < min_speech_s or current.language == before.language:
        return _joined(before, current), None
    return current, before


def _joined(main: LanguageRun, other: LanguageRun) -> LanguageRun:
    """Both as `main`'s language; the confidence is the mean over the speech."""
    speech = main.speech_s + other.speech_s
    confidence = (main.confidence * main.speech_s + other.confidence * other.speech_s) / speech
    start, end = min(main.start_s, other.start_s), max(main.end_s, other.end_s)
    return LanguageRun(main.language, start, end, speech, confidence)


def _judged(detect: Detector, utterance: Utterance) -> tuple[str, float]:
    """The detector's answer, if it is one: it may come from any package."""
    language, confidence = detect(utterance.samples)
    if not isinstance(language, str) or not language or not 0 <= confidence <= 1:
        msg = f"The language detector gave {language!r}, {confidence!r}; it must give a code and a number of 0 to 1."
        raise EngineError(msg)
    return language, float(confidence)
