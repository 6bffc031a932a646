"""Encodes one segment of a film: `data.bin` in, `segment.mp4` out.

Size and bitrate are what the partitioner tells of the chunk's rendition; without one the size stays, at a constant
quality. FFmpeg has as many threads as the manifest's `min_cpu`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

THREADS = "1"
CODECS = {"h264": "libx264", "h265": "libx265", "av1": "libsvtav1"}
SVT_PRESETS = {"veryfast": "10", "fast": "8", "medium": "6", "slow": "4"}
"""SVT-AV1 counts its presets."""


def pictures(params: dict, rendition: dict | None) -> list[str]:
    codec, preset = params.get("codec", "h264"), params.get("preset", "medium")
    options = ["-c:v", CODECS[codec], "-preset", SVT_PRESETS[preset] if codec == "av1" else preset]
    if codec == "h265":
        options += ["-x265-params", f"pools={THREADS}:frame-threads=1:log-level=error", "-tag:v", "hvc1"]
    if codec == "av1":
        options += ["-svtav1-params", f"lp={THREADS}"]
    if rendition is None:
        options += ["-crf", str(params.get("crf", 23))]
    else:
        rate = rendition["bitrate_kbps"]
        # HLS' authoring rules allow peaks of twice the average; a player's buffer holds one and a half seconds.
        options += ["-b:v", f"{rate}k", "-maxrate", f"{rate * 1.2:.0f}k", "-bufsize", f"{rate * 1.5:.0f}k"]
        options += ["-vf", f"scale={rendition['width_px']}:{rendition['height_px']}:flags=lanczos,setsar=1"]
    return [*options, "-force_key_frames", f"expr:gte(t,n_forced*{params.get('keyframe_s', 2)})"]


def sound(params: dict, rendition: dict | None) -> list[str]:
    if rendition and not rendition["audio"]:
        return ["-an"]
    rate = params.get("audio_kbps")
    return ["-map", "0:a?", *(["-c:a", "aac", "-b:a", f"{rate}k"] if rate else ["-c:a", "copy"])]


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    rendition = json.loads(os.environ["CHUNK_METADATA"]).get("rendition")
    source = Path(os.environ["TASK_DIR"], "data.bin")
    target = Path(os.environ["TASK_RESULTS_DIR"], "segment.mp4")
    # passthrough: each frame of the source is one of the result, with its time.
    command = ["ffmpeg", "-v", "warning", "-threads", THREADS, "-i", str(source), "-map", "0:v:0"]
    command += ["-fps_mode", "passthrough"]
    command += [*pictures(params, rendition), *sound(params, rendition), "-threads", THREADS, str(target)]
    print(" ".join(command))
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
