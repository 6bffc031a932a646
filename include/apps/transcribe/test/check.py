"""Subtitles, passages or a text of the sample beside its transcript: word errors, and what is out of step, end with 1.

Usage: python check.py FILE, or a folder with that one file, as `triptych app test` calls it. It needs Python alone.
"""

import csv
import json
import re
import sys
from pathlib import Path

MOST_WORD_ERRORS = 0.05
MOST_OUT_OF_STEP_S = 0.7
"""Between a sentence's beginning, or end, and that of its first, or last, caption."""
SAME = {"mr": "mister"}


def words(text: str) -> list[str]:
    return [SAME.get(word, word) for word in re.findall(r"[a-z']+", text.lower().replace("-", " "))]


def edits(said: list[str], heard: list[str]) -> int:
    """Words put in, left out, or changed for others: Levenshtein's distance."""
    before = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        row = [number]
        for other, text in enumerate(heard, 1):
            row.append(min(row[-1] + 1, before[other] + 1, before[other - 1] + (word != text)))
        before = row
    return before[-1]


def captions(srt: str) -> list[tuple[float, float, str]]:
    """From when to when, in seconds, and what is shown."""
    found = []
    for block in re.split(r"\n\s*\n", srt.strip()):
        _, times, *text = block.splitlines()
        hours, minutes, seconds, *end = (float(part.replace(",", ".")) for part in re.split(r":| --> ", times))
        start = hours * 3600 + minutes * 60 + seconds
        found.append((start, end[0] * 3600 + end[1] * 60 + end[2], " ".join(text)))
    return found


def passages(records: str) -> list[tuple[float, float, str]]:
    """The same of JSON Lines."""
    found = map(json.loads, records.splitlines())
    return [(each["start_s"], each["end_s"], each["text"]) for each in found]


def out_of_step(shown: list[tuple[float, float, str]], sentences: list[tuple[float, float]]) -> float:
    """The worst of all sentences, in seconds; one without a caption is out of step by all of its length."""
    worst = 0.0
    for start, end in sentences:
        own = [caption for caption in shown if start <= (caption[0] + caption[1]) / 2 <= end]
        worst = max(worst, abs(own[0][0] - start), abs(own[-1][1] - end)) if own else max(worst, end - start)
    return worst


def main(path: Path) -> int:
    with Path(__file__).with_name("expected").joinpath("utterances.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    if path.is_dir():
        (path,) = (each for each in path.iterdir() if each.is_file())
    text = path.read_text()
    shown = passages(text) if path.suffix == ".jsonl" else captions(text) if "-->" in text else []
    said = words(" ".join(row["text"] for row in rows))
    wrong = edits(said, words(" ".join(each[2] for each in shown) if shown else text))
    print(f"word errors: {wrong} of {len(said)} = {wrong / len(said):.1%}")
    late = out_of_step(shown, [(float(row["start_s"]), float(row["end_s"])) for row in rows]) if shown else 0.0
    print(f"out of step: {late:.3f} s")
    return int(wrong > MOST_WORD_ERRORS * len(said) or late > MOST_OUT_OF_STEP_S)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
