"""What a watch knows of files, in one object, so that batches that nobody will ask for again can go.

    _watch/<template>/known/<n>.json   URI and etag of each file that a batch had, and since when it is gone

Order is what keeps it right. Who compacts has read the batches, then writes the next `known` where none is, and then
removes batches, each before the note of whose it is. Who looks reads batches, and then, for those that are not there,
the newest `known`: what is removed has been written there before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Version = tuple[str, str]
"""URI and etag, by which a file is told from what was there before."""


@dataclass(frozen=True)
class Known:
    """All that batches of numbers below `floor` had, and maybe more.

    `gone` has for each version the time since which it is (seconds since the epoch); None of one that is there.
    """

    floor: int = 0
    gone: dict[Version, float | None] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Known:
        """What `to_json` made of one."""
        return cls(data["floor"], {(uri, etag): gone for uri, etag, gone in data["files"]})

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"floor": self.floor, "files": [[uri, etag, gone] for (uri, etag), gone in self.gone.items()]}

    def updated(
        self, floor: int, versions: Iterable[Version], there: Collection[Version], now: float, kept_s: float
    ) -> Known:
        """With these versions, too, without those that have been gone for longer than that.

        A file that was away for less, as while a disk was not mounted, is not new when it comes back.
        """
        gone = {
            version: None if version in there else self.gone.get(version) or now for version in (*self.gone, *versions)
        }
        kept = {version: since for version, since in gone.items() if since is None or now - since <= kept_s}
        return Known(floor, kept)
