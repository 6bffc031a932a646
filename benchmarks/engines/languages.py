"""How well the detector `whisper` tells languages, on recordings of real speakers, and how much time it takes.

    apt-get download asterisk-core-sounds-{en,es,fr,it,ru}-wav asterisk-prompt-it-menardi-wav asterisk-prompt-es-co \\
        asterisk-prompt-fr-armelle pocketsphinx-testdata
    for package in *.deb; do dpkg-deb -x "$package" FOLDER; done
    python benchmarks/engines/languages.py [FOLDER/usr/share]

Installed packages are found without a folder. Speakers whose package is not there are left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from triptych.engines.speech.voice_activity import SPEECH_RATE
from triptych.engines.speech.weights import packaged_model
from triptych.engines.speech.whisper import Whisper

SEGMENTS_S = (8, 3)
MOST_SPEECH_S = 120
"""Of each speaker and length of segments, counted as if none were longer than that length."""
SHORTEST_PROMPT_S = 1.5
"""Shorter ones are single words, of which many are the same in several languages."""


@dataclass(frozen=True)
class Speaker:
    """Where the recordings lie, below a folder such as /usr/share."""

    name: str
    language: str
    files: str


SPEAKERS = (
    Speaker("English: Allison", "en", "asterisk/sounds/en_US_f_Allison/*.wav"),
    Speaker("English: LibriVox", "en", "pocketsphinx/test/data/librivox/*.wav"),
    Speaker("Spanish: Mexico", "es", "asterisk/sounds/es_MX_f_Allison/*.wav"),
    Speaker("Spanish: Colombia", "es", "asterisk/sounds/es/*.gsm"),
    Speaker("French: Canada", "fr", "asterisk/sounds/fr_CA_f_June/*.wav"),
    Speaker("French: Armelle", "fr", "asterisk/sounds/fr/*.gsm"),
    Speaker("Italian: Menardi", "it", "asterisk/sounds/it_IT_f_Menardi/*.wav"),
    Speaker("Italian: Carlo", "it", "asterisk/sounds/it_IT_m_Carlo/*.wav"),
    Speaker("Russian", "ru", "asterisk/sounds/ru_RU_f_IvrvoiceRU/*.wav"),
)


def main() -> None:
    share = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share")
    with tempfile.TemporaryDirectory() as folder:
        detect = Whisper(packaged_model(Path(folder)))
    print(
        "| speaker | seconds in a segment, at least | judged right | of the others | CPU seconds a second of speech |"
    )
    print("| --- | ---: | ---: | --- | ---: |")
    for speaker in SPEAKERS:
        prompts = _prompts(sorted(share.glob(speaker.files)))
        if not prompts:
            print(f"{speaker.name}: nothing in {share / speaker.files}.", file=sys.stderr)
        for least_s in SEGMENTS_S if prompts else ():
            segments = _segments(prompts, least_s)
            started = time.process_time()
            found = [detect(samples) for samples in segments]
            each_s = (time.process_time() - started) / (sum(map(len, segments)) / SPEECH_RATE)
            others = [f"{code} {sure:.2f}" for code, sure in found if code != speaker.language]
            right = f"{len(found) - len(others)} of {len(found)}"
            print(f"| {speaker.name} | {least_s} | {right} | {', '.join(others)} | {each_s:.2f} |", flush=True)


def _prompts(paths: list[Path]) -> list[np.ndarray]:
    return [samples for path in paths if len(samples := _samples(path)) >= SHORTEST_PROMPT_S * SPEECH_RATE]


def _segments(prompts: list[np.ndarray], least_s: float) -> list[np.ndarray]:
    """Prompts behind each other until there are `least_s` of them, spread over all that there are."""
    segments: list[list[np.ndarray]] = [[]]
    for prompt in prompts:
        segments[-1].append(prompt)
        if sum(map(len, segments[-1])) >= least_s * SPEECH_RATE:
            segments.append([])
    whole = segments[:-1]
    most = int(MOST_SPEECH_S // least_s)
    step = max(1, len(whole) // most)
    return [np.concatenate(segment) for segment in whole[::step][:most]]


def _samples(path: Path) -> np.ndarray:
    """As the engine gives them to a detector: float32, one channel, SPEECH_RATE."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SPEECH_RATE)
    # A GSM file has no header to tell it by.
    with av.open(str(path), format="gsm" if path.suffix == ".gsm" else None) as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames] or [np.zeros(0, np.float32)])


if __name__ == "__main__":
    main()
