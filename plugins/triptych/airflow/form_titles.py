"""What the form calls a field: its schema's own title, else its key in words, with the unit that ends it."""

from __future__ import annotations

import re

from triptych.schemas.properties import Leaf

_UNITS = {
    **{unit: unit for unit in ("s", "ms", "px", "bytes", "days", "hours", "percent")},
    **{"mib": "MiB", "gib": "GiB", "kib": "KiB", "mb": "MB", "gb": "GB", "kbps": "kbit/s", "hz": "Hz", "dbfs": "dBFS"},
    **{"mm": "mm", "km": "km", "m": "m", "deg": "degrees"},
}
_WORDS = re.compile(r"[_\-\s]+|(?<=[a-z0-9])(?=[A-Z])")


def title_of(leaf: Leaf) -> str:
    """`min_silence_ms` -> `Min silence (ms)`, `crop.width_px` -> `Crop: width (px)`; never empty."""
    own = leaf.schema.get("title")
    words = own if isinstance(own, str) and own.strip() else _words(leaf.path[-1])
    parents = [_words(key) for key in leaf.path[:-1]]
    text = ": ".join([*parents, words[:1].lower() + words[1:] if parents and words != own else words])
    return text[:1].upper() + text[1:]


def _words(key: str) -> str:
    words = [word for word in _WORDS.split(key) if word] or [key]
    unit = _UNITS.get(words[-1].lower()) if len(words) > 1 else None
    said = [word if word.isupper() else word.lower() for word in (words[:-1] if unit else words)]
    return f"{' '.join(said)} ({unit})" if unit else " ".join(said)
