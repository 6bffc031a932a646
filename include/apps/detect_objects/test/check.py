"""Whether one person is found while one is shown, around his face, and none afterwards."""

import io
import json
import sys
import zipfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

FILM = Path(__file__).with_name("people.mp4")
PERSON_UNTIL_S = 3
FACE = (165, 110)
"""Where his face is, in pixels of the film."""


def timeline(output: Path) -> None:
    frames = [json.loads(line) for line in (output / "timeline.jsonl").read_text().splitlines()]
    times = [frame["time_s"] for frame in frames]
    if times != [0, 1, 2, 3, 4]:
        sys.exit(f"timeline.jsonl: frames at {times} s; 0, 1, 2, 3, 4 are expected.")
    for frame in frames:
        wanted = int(frame["time_s"] < PERSON_UNTIL_S)
        if frame["people"] != wanted:
            sys.exit(f"timeline.jsonl: {frame['people']} people at {frame['time_s']} s; expected {wanted}.")
        for found in frame["objects"]:
            x, y, width, height = found["box_px"]
            if found["label"] == "person" and not (x < FACE[0] < x + width and y < FACE[1] < y + height):
                sys.exit(f"timeline.jsonl: the box {found['box_px']} is not around {FACE}.")


def pictures(output: Path) -> None:
    """A yellow box changes pixels of the first frame; the frame of the cup at 4 s stays as it is."""
    wanted = {"people_000000.0s_1_people_0_vehicles.jpg": True, "people_000004.0s_0_people_0_vehicles.jpg": False}
    with av.open(str(FILM)) as film:
        frames = {
            round(frame.time, 3): frame.to_ndarray(format="rgb24").astype(float) for frame in film.decode(video=0)
        }
    with zipfile.ZipFile(output / "boxes.zip") as package:
        found = {name: Image.open(io.BytesIO(package.read(name))).convert("RGB") for name in package.namelist()}
    if list(found) != list(wanted):
        sys.exit(f"boxes.zip has {', '.join(found)}.")
    for (name, picture), frame in zip(found.items(), (frames[0.0], frames[4.0]), strict=True):
        yellow = np.abs(np.asarray(picture, dtype=float) - (255, 212, 0)).max(axis=2) < 60
        drawn = int((yellow & (np.abs(np.asarray(picture, dtype=float) - frame).max(axis=2) > 60)).sum())
        print(f"{name}: {drawn} pixels of boxes")
        if (drawn > 150) != wanted[name]:
            sys.exit(f"{name}: {drawn} pixels of boxes.")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    check = timeline if (folder / "timeline.jsonl").exists() else pictures
    check(folder)
