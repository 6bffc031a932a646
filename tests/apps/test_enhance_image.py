"""`enhance_image`: in tiles as whole. (Nearer to the photo than bicubic: the sample's check, in `test_samples.py`.)"""

from __future__ import annotations

import shutil

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.apps.conftest import App
from tests.support.app_images import APPS

CUP = APPS / "enhance_image" / "test" / "cup.png"


@pytest.mark.whole
def test_tiles_that_share_what_the_network_sees_show_no_seam(run_app: App) -> None:
    """Each pixel is that of one pass over the whole, up to rounding; without an overlap some are far from it."""

    def enlarged(tile_size: int, overlap: int) -> npt.NDArray[np.int64]:
        sizes = [f"partitioner.tile_size={tile_size}", f"partitioner.overlap={overlap}"]
        output = run_app("enhance_image", [CUP], *(part for each in sizes for part in ("-p", each)))
        with Image.open(output / "cup_x2.png") as image:
            pixels = np.asarray(image, dtype=np.int64)
        shutil.rmtree(output)
        return pixels

    whole = enlarged(256, 16)
    assert np.abs(enlarged(96, 16) - whole).max() <= 1
    assert np.abs(enlarged(96, 0) - whole).max() > 8
