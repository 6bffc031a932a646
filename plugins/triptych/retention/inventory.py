"""What lies in the workspace, from one listing: runs, outputs and temporary areas, each with its size and last change.

Memory holds a few words of each run, and the name of no object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from triptych.jobs.removed import REMOVED
from triptych.jobs.temporary import expiry_of
from triptych.jobs.workspace import BESIDE, OUTPUTS
from triptych.storage import Store
from triptych.storage.walls import TEMPORARY

_LAYOUT = re.compile(
    r"plans/(?P<plan>\d+)\.json|publish/(?P<publish>\d+)\.json|output/(?P<output>\d+)\.json|(?P<code>code/.+)|"
    r"probe|job/.+|chunks/.+|results/.+|logs/.+|commits/.+|staging/.+|bucket/.+|ended\.json|"
    r"report\.html|report\.json|(?P<removed>removed\.json)"
)
"""Names that Triptych writes in a run (docs/explanation/workspace.md). Where others lie, the folder is not ours."""


@dataclass
class Folder:
    """Of what lies below one URI, which ends in `/`: how much, and when it last changed (seconds since the epoch)."""

    uri: str
    bytes: int = 0
    objects: int = 0
    modified: float = 0.0

    def add(self, size: int, modified: float) -> None:
        """One object more."""
        self.bytes += size
        self.objects += 1
        self.modified = max(self.modified, modified)


@dataclass
class RunFolder(Folder):
    """One run's: `dag` and `run` are the folders of both, as `folder_name` makes them."""

    dag: str = ""
    run: str = ""
    plans: set[int] = field(default_factory=set)
    makings: set[int] = field(default_factory=set)
    outputs: set[int] = field(default_factory=set)
    has_code: bool = False
    is_removed: bool = False
    """Retention has taken it, or was broken off as it did."""
    foreign: str = ""
    """The name of something that Triptych does not write there."""

    def see(self, name: str, size: int, modified: float) -> None:
        """Count an object in, by its name below the run's root."""
        self.add(size, modified)
        match = _LAYOUT.fullmatch(name)
        if match is None:
            self.foreign = name
            return
        for group, numbers in (("plan", self.plans), ("publish", self.makings), ("output", self.outputs)):
            if match[group]:
                numbers.add(int(match[group]))
        self.has_code = self.has_code or bool(match["code"])
        self.is_removed = self.is_removed or name == REMOVED

    @property
    def is_run(self) -> bool:
        """Whether this is what a job leaves: others' files may lie two folders deep, too."""
        return bool(self.has_code or self.plans or self.is_removed)

    @property
    def has_output(self) -> bool:
        """Whether the newest making of its output is finished."""
        return bool(self.outputs) and max(self.outputs) >= max(self.makings, default=0)


@dataclass
class Inventory:
    """All of a workspace that has an age."""

    runs: dict[tuple[str, str], RunFolder] = field(default_factory=dict)
    outputs: dict[tuple[str, str], Folder] = field(default_factory=dict)
    temporary: dict[str, Folder] = field(default_factory=dict)


def take_inventory(store: Store, workspace: str) -> Inventory:
    """Of the workspace at this URI, which does not end in `/`."""
    found = Inventory()
    for parts, uri, size, modified in _objects(store, workspace):
        if parts[0] == OUTPUTS and len(parts) > 3:
            key = (parts[1], parts[2])
            root = _up(uri, len(parts) - 3)
            found.outputs.setdefault(key, Folder(root)).add(size, modified)
        elif parts[0] == TEMPORARY and len(parts) > 2 and expiry_of(parts[1]):
            found.temporary.setdefault(parts[1], Folder(_up(uri, len(parts) - 2))).add(size, modified)
        elif parts[0] not in BESIDE and len(parts) > 2:
            key = (parts[0], parts[1])
            run = found.runs.setdefault(key, RunFolder(_up(uri, len(parts) - 2), dag=parts[0], run=parts[1]))
            run.see("/".join(parts[2:]), size, modified)
    return found


def _objects(store: Store, workspace: str) -> Iterator[tuple[list[str], str, int, float]]:
    """Of each object the parts of its name below the workspace, its URI, size and time."""
    start = unquote(f"{workspace}/")
    for info in store.list(f"{workspace}/"):
        name = unquote(info.uri).removeprefix(start)
        # A store that says no time keeps everything for ever: what is new is never old.
        yield name.split("/"), info.uri, info.size, float("inf") if info.modified is None else info.modified


def _up(uri: str, parts: int) -> str:
    """The folder so many parts above: `s3://b/w/d/r/plans/0.json`, 2 -> `s3://b/w/d/r/`."""
    return uri.rsplit("/", parts)[0] + "/"
