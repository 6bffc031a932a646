"""Writes down what is said in one chunk: `data.bin` in, `captions.json` or `text.txt` out.

Times count from the chunk's beginning; the assembler shifts them. Threads are as many as `min_cpu`: CTranslate2 goes by
`OMP_NUM_THREADS`.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from faster_whisper import WhisperModel
from faster_whisper.transcribe import Word


def captions(words: Sequence[Word], max_chars: int) -> Iterator[dict]:
    """What Whisper heard in one go, in as few captions of at most `max_chars` as hold it, about equally long."""
    length = sum(len(word.word) for word in words)
    likely = length / max(1, math.ceil(length / max_chars))
    shown: list[Word] = []
    chars = 0
    for word in words:
        if shown and (chars >= likely or chars + len(word.word) > max_chars):
            yield caption(shown)
            shown, chars = [], 0
        shown.append(word)
        chars += len(word.word)
    if shown:
        yield caption(shown)


def caption(words: Sequence[Word]) -> dict:
    text = "".join(word.word for word in words).strip()
    return {"start": round(float(words[0].start), 3), "end": round(float(words[-1].end), 3), "text": text}


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    told = json.loads(os.environ["CHUNK_METADATA"]).get("language")
    model = WhisperModel("/model", device="cpu", compute_type="int8")
    # Without a temperature there is no chance in it: one chunk, one text. The filter keeps silence from Whisper, which
    # else hears words in it.
    segments, info = model.transcribe(
        str(Path(os.environ["TASK_DIR"], "data.bin")),
        language=params.get("language") or told,
        temperature=0.0,
        word_timestamps=True,
        vad_filter=True,
    )
    said = list(segments)
    print(f"{info.duration:.1f} s of {info.language}, of which {info.duration_after_vad:.1f} s are speech")

    results = Path(os.environ["TASK_RESULTS_DIR"])
    if params.get("result", "captions") == "text":
        text = " ".join(segment.text.strip() for segment in said)
        (results / "text.txt").write_text(f"{text}\n" if text else "")
        return
    longest = params.get("max_caption_chars", 80)
    found = [each for segment in said for each in captions(segment.words or [], longest)]
    (results / "captions.json").write_text(json.dumps({"segments": found}, ensure_ascii=False))


if __name__ == "__main__":
    main()
