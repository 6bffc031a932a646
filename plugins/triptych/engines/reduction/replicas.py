"""What `replicate` tells `vote`."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.contracts import Metadata


@dataclass(frozen=True, kw_only=True)
class Replica(Metadata):
    """Which replica of the whole input a chunk is, from 0, and how many there are."""

    replica: int
    replicas: int
