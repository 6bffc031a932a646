"""Makes one image small: `data.bin` in, `<name of the chunk>.png` out; proportions stay."""

import json
import os
from pathlib import Path

from PIL import Image, ImageOps


def main() -> None:
    side = json.loads(os.environ["APP_PARAMS"]).get("side_px", 128)
    stem = Path(os.environ.get("CHUNK_NAME") or "image").stem
    with Image.open(Path(os.environ["TASK_DIR"], "data.bin")) as image:
        small = ImageOps.exif_transpose(image)
        small.thumbnail((side, side))
        small.save(Path(os.environ["TASK_RESULTS_DIR"], f"{stem}.png"))
    print(f"{stem}: {image.size} -> {small.size}")


if __name__ == "__main__":
    main()
