"""Runs of one language from what a detector said, and detectors by name."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from triptych.engines import languages
from triptych.engines.languages import Run, language_detector, runs
from triptych.engines.speech import Utterance
from triptych.errors import EngineError, JobSpecError


def _found(said: str, min_confidence: float = 0.5, min_seconds: float = 2) -> str:
    """`said` is utterances like "en2 ?1 es3": a language and seconds, with "?" for unsure; gives the runs so."""
    utterances, answers, at = [], [], 0.0
    for word in said.split():
        name, seconds = word.rstrip("0123456789"), float(word.lstrip("abcdefghijklmnopqrstuvwxyz?"))
        answers.append(("und" if name == "?" else name, 0.1 if name == "?" else 0.9))
        utterances.append(Utterance(at, at + seconds, np.zeros(1, np.float32)))
        at += seconds + 1
    given = iter(answers)
    found = list(runs(utterances, lambda _: next(given), min_confidence, min_seconds))
    assert all(before.end_s < after.start_s for before, after in itertools.pairwise(found))
    assert sum(run.speech_s for run in found) == sum(each.end_s - each.start_s for each in utterances)
    return " ".join(f"{run.language}{run.speech_s:g}" for run in found)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", ""),
        ("en1", "en1"),
        ("en3 es3 en3", "en3 es3 en3"),
        ("en3 en3 es3", "en6 es3"),
        ("en3 ?5 es3", "en8 es3"),
        ("en3 es1 en3", "en7"),
        ("en1 es3 es3", "es7"),
        ("en3 es1 fr1", "en5"),
        ("en3 es1 es1 fr4", "en3 es2 fr4"),
        ("en3 es1 fr4 fr1", "en4 fr5"),
        ("en3 es4 fr1", "en3 es5"),
    ],
)
def test_short_and_unsure_utterances_join_their_neighbours(said: str, expected: str) -> None:
    assert _found(said) == expected


def test_a_detector_must_be_declared() -> None:
    with pytest.raises(JobSpecError, match=r"detector: there is no 'os\.system'; there are: english"):
        language_detector("os.system")


def test_a_declared_detector_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "mine"

        def load(self) -> object:
            return lambda _: ("fr", 1.0)

    monkeypatch.setattr(languages, "entry_points", lambda group: [Point()] if group == languages.GROUP else [])
    said = [Utterance(0, 3, np.zeros(1, np.float32))]
    assert list(runs(said, language_detector("mine"), 0.5, 1)) == [Run("fr", 0, 3, 3, 1.0)]


def test_what_is_no_answer_is_refused() -> None:
    said = [Utterance(0, 3, np.zeros(1, np.float32))]
    with pytest.raises(EngineError, match="gave '', 7"):
        list(runs(said, lambda _: ("", 7), 0.5, 1))
