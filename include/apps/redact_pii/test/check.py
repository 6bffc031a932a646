"""Personal data that is known, beside what is left of it: recall per kind, and what else is gone.

Usage: python check.py OUTPUT EXPECTED, folders with `output.csv` and with `spans.tsv` (ticket, entity, value); the
records that went in lie beside EXPECTED, as `messages.csv`. Exit code 1 where a kind with check digits or a fixed
form is left once, where more than one name or place in ten is, or where anything else was changed.
"""

import csv
import re
import sys
from collections import Counter
from pathlib import Path

LEAST = {"PERSON": 0.9, "LOCATION": 0.9, "PHONE_NUMBER": 0.9}
"""Of others all."""
TOKEN = re.compile(r"<([A-Z_]+?)(?:_[A-Z2-7]{10})?>")
MOST_OTHER_WORDS_GONE = 0.02


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def main(output: Path, expected: Path) -> int:
    records = {row["ticket"]: row["text"] for row in table(expected.parent / "messages.csv")}
    redacted = {row["ticket"]: row["text"] for row in table(output / "output.csv")}
    if list(redacted) != list(records):
        print("output.csv: other tickets, or another order.")
        return 1
    known, left = Counter(), Counter()
    for span in table(expected / "spans.tsv", "\t"):
        known[span["entity"]] += 1
        parts = [span["value"], *(span["value"].split() if span["entity"] == "PERSON" else ())]
        left[span["entity"]] += any(part in redacted[span["ticket"]] for part in parts)
        records[span["ticket"]] = records[span["ticket"]].replace(span["value"], " ")
    code = 0
    for kind, count in sorted(known.items()):
        recall = 1 - left[kind] / count
        print(f"{kind}: {count - left[kind]} of {count} = {recall:.3f}")
        code |= recall < LEAST.get(kind, 1.0)

    words = gone = 0
    for ticket, text in records.items():
        others = re.findall(r"\w+", text)
        kept = Counter(re.findall(r"\w+", TOKEN.sub(" ", redacted[ticket])))
        words, gone = words + len(others), gone + (Counter(others) - kept).total()
    print(f"other words gone: {gone} of {words}")
    return int(code or gone > MOST_OTHER_WORDS_GONE * words)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
