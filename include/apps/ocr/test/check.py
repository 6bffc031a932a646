"""How many characters of the rendered pages are wrong: 1 of 100 may be. Of PDFs, pypdf's text counts."""

import re
import sys
from pathlib import Path

MOST_WRONG = 0.01


def characters(path: Path) -> str:
    if path.suffix == ".pdf":
        from pypdf import PdfReader

        text = "\n".join(page.extract_text() for page in PdfReader(path).pages)
    else:
        text = path.read_text()
    text = text.translate(str.maketrans("\u201c\u201d\u2019\u2018\u2014", "\"\"''-"))
    return re.sub(r"\s+", " ", text).strip()


def edits(one: str, other: str) -> int:
    """Characters put in, left out, or changed for others: Levenshtein's distance."""
    before = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        row = [number]
        for place, beside in enumerate(other, 1):
            row.append(min(row[-1] + 1, before[place] + 1, before[place - 1] + (character != beside)))
        before = row
    return before[-1]


def main(output: Path) -> None:
    # By where this lies: cases in folders of their own expect the same.
    wanted = sorted(Path(__file__).with_name("expected").iterdir())
    found = sorted(path for path in output.iterdir() if path.is_file())
    if [path.stem for path in found] != [path.stem for path in wanted]:
        sys.exit(f"there are {', '.join(path.name for path in found)}.")
    for page, text in zip(found, wanted, strict=True):
        truth = characters(text)
        wrong = edits(truth, characters(page))
        print(f"{page.name}: {wrong} of {len(truth)} characters wrong = {wrong / len(truth):.2%}")
        if wrong > MOST_WRONG * len(truth):
            sys.exit(f"{page.name}: {wrong} of {len(truth)} characters are wrong.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
