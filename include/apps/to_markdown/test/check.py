"""Whether a report has the same words, headings, table and picture from each of the formats that it was written in."""

import re
import sys
from pathlib import Path

FORMATS = ("tides.html", "tides.rst", "reports/tides.docx", "reports/tides.epub", "reports/tides.odt")
CAPTION = "Rings in the water"
PICTURE = re.compile(r"!\[(.*?)\]\((.*?)\)")


def plain(markdown: str) -> list[str]:
    """Lines that are not empty, pictures as their captions, and one space where Markdown lets many stand."""
    lines = [re.sub(r"\s+|-{3,}", " ", line).strip() for line in PICTURE.sub(r"\1", markdown).splitlines()]
    # Pandoc knows no header of an OpenDocument table: it has an empty one, and the names are the first row.
    return [line for line in lines if line.strip("| ")]


def main(output: Path, expected: Path) -> None:
    wanted = plain((expected / "tides.md").read_text())
    drawing = (expected / "rings.png").read_bytes()
    for name in FORMATS:
        path = output / f"{name}.md"
        if not path.is_file():
            sys.exit(f"{name}.md: there is no such file.")
        text = path.read_text()
        # Pandoc does not read what stands in a text box of OpenDocument, as a picture's caption does.
        known = [line for line in wanted if line != CAPTION] if name == "reports/tides.odt" else wanted
        for one, other in zip([*plain(text), ""], [*known, ""], strict=False):
            if one != other:
                sys.exit(f"{name}.md: {one!r}; expected {other!r}.")
        pictures = [path.parent / link for _, link in PICTURE.findall(text)]
        # reStructuredText names its picture, and has none.
        if name != "tides.rst" and [picture.read_bytes() for picture in pictures] != [drawing]:
            sys.exit(f"{name}.md: its pictures are {', '.join(map(str, pictures)) or 'none'}, and not the drawing.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
