"""Under what a result may be used again: all that its script is given, beside its chunk's bytes.

The key of a result is this context and the SHA-256 of the bytes. A cacheable app is told neither which chunk it runs
nor of which job (`CHUNK_*`, `JOB_ID`), and has no folders that outlive it: so nothing else reaches it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from triptych.blocks import Block
from triptych.jobs.plan import PACKAGE, FrozenBlock

KEY_FORMAT = 1
"""Of what goes into a key: another one finds nothing of this."""
PARTS = ("code", "image", "params", "inputs", "environment")
"""In which two contexts can differ, as people are told; `environment`: the network, ids of secrets, and Triptych."""
BYTES = "bytes"
"""What differs where nothing was kept of a chunk's bytes."""
_PART_DIGITS, _WHOLE_DIGITS = 8, 32


def canonical(value: Any) -> str:
    """JSON of which there is one for equal values: in ASCII, names sorted, no spaces."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class CacheContext:
    """What decides an app's results beside a chunk's bytes, in the parts that PARTS names."""

    parts: Mapping[str, Any]

    @classmethod
    def of(
        cls, frozen: FrozenBlock, app: Block, params: Mapping[str, Any], network: str, inputs: Mapping[str, str]
    ) -> Self:
        """Of an app as its plan has it. `inputs` are the digests of the job's side inputs, by name.

        Secrets count by the ids of their connections: what these hold is nobody's to write down, not even as a digest.
        """
        environment = {"package": PACKAGE, "network": network, "secrets": sorted((*app.secrets, *app.optional_secrets))}
        values = (frozen.sha256, frozen.digest, params, inputs, environment)
        return cls(dict(zip(PARTS, values, strict=True)))

    def to_json(self) -> bytes:
        """The whole of it, for people; its SHA-256 is part of the name."""
        return canonical({"format": KEY_FORMAT, **self.parts}).encode()

    @property
    def name(self) -> str:
        """By which results lie in the cache: a few digits of each part's SHA-256, then those of the whole.

        So a name tells which parts of two contexts differ, and the end of it that they are the same.
        """
        parts = [_digits(canonical(self.parts[part]).encode()) for part in PARTS]
        return "-".join([*(part[:_PART_DIGITS] for part in parts), _digits(self.to_json())[:_WHOLE_DIGITS]])


def differences(name: str, other: str) -> tuple[str, ...]:
    """The parts in which the contexts of these names differ; all of them for what is no such name."""
    ours, theirs = name.split("-"), other.split("-")
    if len(theirs) != len(PARTS) + 1:
        return PARTS
    return tuple(part for part, mine, its in zip(PARTS, ours, theirs, strict=False) if mine != its)


def _digits(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
