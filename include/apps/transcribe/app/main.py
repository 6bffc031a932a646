"""Writes down what is said in one chunk: `data.bin` in, `captions.json`, `passages.jsonl` or `text.txt` out.

Times of captions count from the chunk's beginning, as the assembler shifts them; those of passages from the
recording's. Threads are as many as `min_cpu`: CTranslate2 goes by `OMP_NUM_THREADS`.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from faster_whisper import WhisperModel
from faster_whisper.transcribe import Word

DEVICE = os.environ.get("DEVICE", "cpu")
"""`cuda` in the image of `transcribe_gpu`."""
COMPUTES = {"cpu": "int8", "cuda": "int8_float16"}


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


def passage(text: str, words: Sequence[Word], about: dict) -> dict:
    """All that is said in the chunk. As a URI its id plays that part of the recording (W3C's Media Fragments)."""
    first_s = about.get("start_s", 0.0)
    start, end = (round(first_s + float(each), 2) for each in (words[0].start, words[-1].end))
    source = about.get("source", "data")
    return {"id": f"{quote(source)}#t={start},{end}", "source": source, "start_s": start, "end_s": end, "text": text}


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    about = json.loads(os.environ["CHUNK_METADATA"])
    model = WhisperModel("/model", device=DEVICE, compute_type=COMPUTES[DEVICE])
    # Without a temperature there is no chance in it: one chunk, one text. The filter keeps silence from Whisper, which
    # else hears words in it.
    segments, info = model.transcribe(
        str(Path(os.environ["TASK_DIR"], "data.bin")),
        language=params.get("language") or about.get("language"),
        temperature=0.0,
        word_timestamps=True,
        vad_filter=True,
    )
    said = list(segments)
    print(f"{info.duration:.1f} s of {info.language}, of which {info.duration_after_vad:.1f} s are speech")

    results = Path(os.environ["TASK_RESULTS_DIR"])
    result = params.get("result", "captions")
    text = " ".join(segment.text.strip() for segment in said)
    if result == "passages":
        words = [word for segment in said for word in segment.words or []]
        lines = [json.dumps(passage(text, words, about), ensure_ascii=False)] if words else []
        (results / "passages.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return
    if result == "text":
        (results / "text.txt").write_text(f"{text}\n" if text else "")
        return
    longest = params.get("max_caption_chars", 80)
    found = [each for segment in said for each in captions(segment.words or [], longest)]
    (results / "captions.json").write_text(json.dumps({"segments": found}, ensure_ascii=False))


if __name__ == "__main__":
    main()
