"""How much pictures change: PySceneDetect's detectors, with its scores at less than half their cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from scenedetect.detectors import AdaptiveDetector, ContentDetector, ThresholdDetector

from triptych.engines.compat import scored_by

if TYPE_CHECKING:
    from scenedetect.detector import SceneDetector

Picture = npt.NDArray[np.uint8]
"""With shape (height, width, 3): blue, green, red."""
Plane = npt.NDArray[np.uint8]
"""With shape (height, width): hue, saturation or brightness."""
DETECTORS = {"content": ContentDetector, "adaptive": AdaptiveDetector, "threshold": ThresholdDetector}
THRESHOLDS = {"content": "threshold", "adaptive": "adaptive_threshold", "threshold": "threshold"}


def detector(name: str, min_scene_len: int, threshold: float | None) -> SceneDetector:
    """The one of this name in `DETECTORS`; without a threshold, with PySceneDetect's own.

    `min_scene_len` counts frames: changes that come sooner after another are left out.
    """
    plain = DETECTORS[name]
    quick = scored_by(plain, score, planes) if issubclass(plain, ContentDetector) else plain
    given = {} if threshold is None else {THRESHOLDS[name]: threshold}
    return quick(min_scene_len=min_scene_len, **given)


def planes(picture: Picture) -> Sequence[Plane]:
    """Hue (0 to 179), saturation and brightness of a picture."""
    return cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV))  # type: ignore[return-value]  # of arrays of bytes


def score(before: Sequence[Plane] | None, after: Sequence[Plane]) -> float:
    """The mean change of hue, saturation and brightness, 0 to 255; to the last bit what `ContentDetector` finds.

    That makes three arrays of 32 bits of each plane. 0 where there is nothing before.
    """
    if before is None:
        return 0.0
    changes = (cv2.norm(old, new, cv2.NORM_L1) / new.size for old, new in zip(before, after, strict=True))
    return float(sum(changes) / len(after))
