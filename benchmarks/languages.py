"""How well the detector `english` tells English, on recordings of real speakers, and how long it takes.

    apt-get download asterisk-core-sounds-{en,es,fr,it,ru}-wav asterisk-prompt-it-menardi-wav asterisk-prompt-es-co \\
        asterisk-prompt-fr-armelle pocketsphinx-testdata
    for package in *.deb; do dpkg-deb -x "$package" FOLDER; done
    python benchmarks/languages.py [FOLDER/usr/share]

Installed packages are found without a folder. Speakers whose package is not there are left out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from triptych.engines.languages import ENGLISH_FROM, english_decoder, mean_posterior
from triptych.engines.speech import SPEECH_RATE

SEGMENT_S = 8
MOST_SEGMENTS = 15
SHORTEST_PROMPT_S = 1.5
"""Shorter ones are single words, of which many are the same in several languages."""


@dataclass(frozen=True)
class Speaker:
    """Where the recordings lie, below a folder such as /usr/share."""

    name: str
    is_english: bool
    files: str


SPEAKERS = (
    Speaker("English: Allison", True, "asterisk/sounds/en_US_f_Allison/*.wav"),
    Speaker("English: LibriVox", True, "pocketsphinx/test/data/librivox/*.wav"),
    Speaker("Spanish: Mexico", False, "asterisk/sounds/es_MX_f_Allison/*.wav"),
    Speaker("Spanish: Colombia", False, "asterisk/sounds/es/*.gsm"),
    Speaker("French: Canada", False, "asterisk/sounds/fr_CA_f_June/*.wav"),
    Speaker("French: Armelle", False, "asterisk/sounds/fr/*.gsm"),
    Speaker("Italian: Menardi", False, "asterisk/sounds/it_IT_f_Menardi/*.wav"),
    Speaker("Italian: Carlo", False, "asterisk/sounds/it_IT_m_Carlo/*.wav"),
    Speaker("Russian", False, "asterisk/sounds/ru_RU_f_IvrvoiceRU/*.wav"),
)


def main() -> None:
    share = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share")
    decoder = english_decoder()
    print("| speaker | mean posterior, lowest to highest | judged right | seconds a second of speech |")
    print("| --- | --- | ---: | ---: |")
    for speaker in SPEAKERS:
        segments = list(_segments(sorted(share.glob(speaker.files))))
        if not segments:
            print(f"{speaker.name}: nothing in {share / speaker.files}.", file=sys.stderr)
            continue
        started = time.perf_counter()
        # Where no word is heard, it is not taken for English.
        found = [mean_posterior(decoder, samples) or 0 for samples in segments]
        each_s = (time.perf_counter() - started) / (sum(map(len, segments)) / SPEECH_RATE)
        right = sum((mean >= ENGLISH_FROM) == speaker.is_english for mean in found)
        means = f"{min(found):.2f} to {max(found):.2f}"
        print(f"| {speaker.name} | {means} | {right} of {len(found)} | {each_s:.2f} |", flush=True)


def _segments(paths: list[Path]) -> Iterator[np.ndarray]:
    """Prompts behind each other until there are SEGMENT_S of them, spread over all that there are."""
    prompts = [samples for path in paths if len(samples := _samples(path)) >= SHORTEST_PROMPT_S * SPEECH_RATE]
    segments: list[list[np.ndarray]] = [[]]
    for prompt in prompts:
        segments[-1].append(prompt)
        if sum(map(len, segments[-1])) >= SEGMENT_S * SPEECH_RATE:
            segments.append([])
    whole = segments[:-1]
    step = max(1, len(whole) // MOST_SEGMENTS)
    return (np.concatenate(segment) for segment in whole[::step][:MOST_SEGMENTS])


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
