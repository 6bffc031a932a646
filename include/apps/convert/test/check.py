"""Whether converted files are what was given: pixels, samples and words, names and folders."""

import html.parser
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

LEAST_PSNR_DB = 32
"""Of AVIF; WebP is to be equal."""
HERE = Path(__file__).parent


class Text(html.parser.HTMLParser):
    """The text of a page's body."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(page[page.find("<body") :])

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def picture(source: Path, output: Path) -> str | None:
    with Image.open(source) as one, Image.open(output) as other:
        if one.size != other.size:
            return f"{other.size}, and it was {one.size}"
        wanted, found = (np.asarray(each.convert("RGBA"), dtype=float) for each in (one, other))
    visible = wanted[..., 3:] > 0
    error = float((((wanted - found) * visible) ** 2).mean())
    psnr = 10 * np.log10(255**2 / error) if error else np.inf
    least = LEAST_PSNR_DB if output.suffix == ".avif" else np.inf
    return None if psnr >= least else f"{psnr:.1f} dB from what was given"


def sound(source: Path, output: Path) -> str | None:
    wanted, rate = soundfile.read(source, dtype="int16")
    found, new_rate = soundfile.read(output, dtype="int16")
    if output.suffix == ".flac":
        return None if (rate, wanted.tolist()) == (new_rate, found.tolist()) else "other samples"
    if abs(len(found) / new_rate - len(wanted) / rate) > 0.05:
        return f"{len(found) / new_rate:.2f} s, and it was {len(wanted) / rate:.2f} s"
    loudest = np.abs(np.fft.rfft(found[:new_rate], axis=0)).argmax(axis=0) * new_rate / len(found[:new_rate])
    return None if np.allclose(loudest, [440, 660], atol=2) else f"tones of {loudest} Hz; expected 440 and 660"


def document(_: Path, output: Path) -> str | None:
    if output.suffix == ".epub":
        with zipfile.ZipFile(output) as book:
            pages = [book.read(name).decode() for name in book.namelist() if re.search(r"ch\d+\.xhtml$", name)]
    else:
        pages = [output.read_text()]
    found = words(" ".join(Text(page).text for page in pages))
    wanted = words((HERE / "expected" / "words.txt").read_text())
    return None if found == wanted else f"{len(found)} words; the {len(wanted)} of words.txt are expected"


def main(output: Path) -> None:
    checks = {".webp": picture, ".avif": picture, ".flac": sound, ".opus": sound, ".html": document, ".epub": document}
    given = sorted(path for path in (HERE / "given").rglob("*") if path.is_file())
    for source in given:
        inside = source.relative_to(HERE / "given")
        results = list((output / inside.parent).glob(f"{inside.stem}.*"))
        if len(results) != 1:
            sys.exit(f"{inside}: {len(results)} files have its name and its folder.")
        if wrong := checks[results[0].suffix](source, results[0]):
            sys.exit(f"{results[0].relative_to(output)}: {wrong}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
