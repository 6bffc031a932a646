"""Whether the zip has a picture of each scene, named for when that begins, and like the scene's own frames only."""

import csv
import io
import sys
import zipfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

FILM = Path(__file__).with_name("scenes.mp4")
STARTS = {"scenes_00h00m00.000s.jpg": 0.0, "scenes_00h00m02.000s.jpg": 2.0, "scenes_00h00m03.600s.jpg": 3.6}
"""By construction: see SOURCE.md."""
MOST_UNLIKE = 6
"""Mean difference of a pixel of 32 x 18, of 255."""


def small(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((32, 18), Image.Resampling.BOX), dtype=float)


def main(output: Path) -> None:
    with zipfile.ZipFile(output / "scenes.zip") as package:
        pictures = {name: small(Image.open(io.BytesIO(package.read(name)))) for name in package.namelist()}
    with (output / "scenes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if list(pictures) != list(STARTS) or [row["name"] for row in rows] != list(STARTS):
        sys.exit(f"scenes.zip has {', '.join(pictures)}; {', '.join(STARTS)} are expected, in the index, too.")
    if any((row["width"], row["height"]) != ("320", "180") for row in rows):
        sys.exit("a picture has another size than the film's 320 x 180")
    if not (output / "contact_000.jpg").is_file():
        sys.exit("there is no contact sheet")

    with av.open(str(FILM)) as film:
        frames = [(frame.time, small(frame.to_image())) for frame in film.decode(video=0)]
    for number, (name, picture) in enumerate(pictures.items()):
        begins = list(STARTS.values())
        end = (*begins, np.inf)[number + 1]
        unlike = {time: float(np.abs(picture - frame).mean()) for time, frame in frames}
        own = min(value for time, value in unlike.items() if begins[number] <= time < end)
        others = min(value for time, value in unlike.items() if not begins[number] <= time < end)
        print(f"{name}: {own:.1f} from its scene's nearest frame, {others:.1f} from others'")
        if own > MOST_UNLIKE or others < 2 * MOST_UNLIKE:
            sys.exit(f"{name}: {own:.1f} from its scene's nearest frame, {others:.1f} from another's.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
