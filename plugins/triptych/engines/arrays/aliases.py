"""Names for the arrays that travel between modules: what they hold, beyond their dtype."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Octets = npt.NDArray[np.uint8]
"""Raw bytes, one per element."""
Offsets = npt.NDArray[np.int64]
"""Byte offsets or indices, ascending unless said otherwise."""
Mask = npt.NDArray[np.bool_]
"""True where something holds, one element per byte, row or value."""
Codes = npt.NDArray[np.int64]
"""A small number per value, equal for equal values."""
Microseconds = npt.NDArray[np.int64]
"""Times since 1970-01-01T00:00, in UTC or as a clock showed them; their names say which."""
Words = npt.NDArray[np.uint64]
"""64 flags each, the lowest bit first."""
Floats = npt.NDArray[np.float64]
