"""Says what the photos of one chunk show: a tar of images in, `labels.csv`, or small copies named by label, out.

EfficientNet-Lite0 by onnxruntime, on the CPU, or on a GPU in the image of `classify_images_gpu`.
"""

import csv
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

THREADS = 1
"""The manifest's `min_cpu`."""
PROVIDER = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[os.environ.get("DEVICE", "cpu")]
BATCH = 16
SIDE, CROP = 256, 224


def network() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession("/model/efficientnet-lite0.onnx", options, providers=[PROVIDER])
    if PROVIDER not in session.get_providers():  # It would go on without, more slowly and without a word.
        raise SystemExit(f"onnxruntime has no {PROVIDER} here; what it printed above says why.")
    return session


def prepared(photo: Image.Image) -> np.ndarray:
    """The middle of the photo as the network was trained: (3, 224, 224), from -1 to 1."""
    scale = SIDE / min(photo.size)
    small = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
    left, top = (small.width - CROP) // 2, (small.height - CROP) // 2
    pixels = np.asarray(small.crop((left, top, left + CROP, top + CROP)), dtype=np.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    results = Path(os.environ["TASK_RESULTS_DIR"])
    classes = Path("/model/classes.txt").read_text().splitlines()
    photos: dict[str, Image.Image] = {}
    with tarfile.open(Path(os.environ["TASK_DIR"], "data.bin")) as files:
        for member in files:
            photo = Image.open(io.BytesIO(files.extractfile(member).read()))
            photos[member.name] = ImageOps.exif_transpose(photo).convert("RGB")

    session = network()
    batch = [prepared(photo) for photo in photos.values()]
    parts = [np.stack(batch[begin : begin + BATCH]) for begin in range(0, len(batch), BATCH)]
    likely = np.concatenate([session.run(None, {"images": part})[0] for part in parts])
    best = np.argsort(-likely, axis=1)[:, : params.get("guesses", 3)]

    if params.get("result", "table") == "pictures":
        for (name, photo), row, guess in zip(photos.items(), likely, best[:, 0], strict=True):
            photo.thumbnail((512, 512))
            label = f"{classes[guess]} {row[guess]:.0%}".replace("/", " ")
            photo.save(results / f"{label}, {Path(name).stem}.jpg", quality=85)
        return
    with (results / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "guess", "label", "probability"])
        for name, row, guesses in zip(photos, likely, best, strict=True):
            table.writerows([name, rank, classes[each], f"{row[each]:.4f}"] for rank, each in enumerate(guesses, 1))


if __name__ == "__main__":
    main()
