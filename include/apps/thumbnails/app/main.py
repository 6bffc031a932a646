"""A small picture of one scene or image: `data.bin` in, a JPEG named for when the scene begins, or a PNG, out.

Proportions stay; a photo that is to be turned, is.
"""

import io
import json
import os
import subprocess
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError


def frame_of(film: Path, which: str, middle_s: float) -> Image.Image:
    """The first frame, the one in the middle, or the one that is most like the others."""
    seek = ["-ss", f"{middle_s:.3f}"] if which == "middle" else []
    chosen = ["-vf", "thumbnail=300"] if which == "typical" else []
    command = ["ffmpeg", "-v", "error", "-threads", "1", *seek, "-i", str(film), "-map", "0:v:0", *chosen]
    command += ["-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Image.open(io.BytesIO(done.stdout))


def clock(seconds: float) -> str:
    """75.5 -> `00h01m15.500s`, so that names are in order of time."""
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes) // 60:02d}h{int(minutes) % 60:02d}m{rest:06.3f}s"


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    side = params.get("side_px", 128)
    data = Path(os.environ["TASK_DIR"], "data.bin")
    results = Path(os.environ["TASK_RESULTS_DIR"])
    scene = json.loads(os.environ["CHUNK_METADATA"])
    try:
        picture = ImageOps.exif_transpose(Image.open(data))
        name = f"{Path(os.environ.get('CHUNK_NAME') or 'image').stem}.png"
    except UnidentifiedImageError:
        start, end = scene.get("start_s", 0.0), scene.get("end_s") or 0.0
        picture = frame_of(data, params.get("frame", "typical"), (end - start) / 2)
        name = f"{Path(scene.get('source', 'film')).stem}_{clock(start)}.jpg"
    size = picture.size
    picture.thumbnail((side, side))
    picture.save(results / name, quality=85)
    print(f"{name}: {size} -> {picture.size}")


if __name__ == "__main__":
    main()
