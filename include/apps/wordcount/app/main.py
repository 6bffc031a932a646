"""Counts the words of one chunk: `data.bin` in, `counts.csv` out (word, count; frequent first)."""

import csv
import json
import os
import re
from collections import Counter
from pathlib import Path

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


def count_words(text: str, min_length: int, case: str) -> Counter[str]:
    """How often each word of at least `min_length` letters occurs; an apostrophe stays inside its word."""
    words = WORD.findall(text.casefold() if case == "fold" else text)
    return Counter(word for word in words if len(word) >= min_length)


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    text = Path(os.environ["TASK_DIR"], "data.bin").read_text(encoding="utf-8")
    counts = count_words(text, params.get("min_length", 4), params.get("case", "fold"))

    with Path(os.environ["TASK_RESULTS_DIR"], "counts.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["word", "count"])
        table.writerows(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    print(f"{counts.total()} words, {len(counts)} different")


if __name__ == "__main__":
    main()
