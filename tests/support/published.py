"""An output that is published by attempts of one run, and what a judge sees of it."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from tests.support.outputs import newest_listing
from tests.support.places import MIB, Place
from triptych.engines import Output
from triptych.stages.publishing import Existing, Publisher, Records, Target, Used
from triptych.storage import ObjectInfo

LARGE = random.Random(7).randbytes(6 * MIB)
FILES = {"a.txt": b"small", "deep/er/b c.bin": LARGE, "empty": b"", "ü.txt": b"also small"}
USED = Used(0, {"0-3": [0, 2]})
MORE = Used(0, {"0-3": [0, 3]})

Files = Mapping[str, bytes]


@dataclass
class Run:
    """One run of a template, whose attempts all make these files below `out/` of a place."""

    place: Place
    name: str = "manual__2026-11-26T04:00:00+00:00"
    dag_id: str = "upper"
    existing: Existing = Existing.ADD
    root: str = field(init=False)

    def __post_init__(self) -> None:
        self.root = f"{self.place.root}work/{self.dag_id}/{self.name[:6]}"

    @property
    def records(self) -> Records:
        return Records(self.place.store, self.root)

    def publisher(self, used: Used = USED) -> Publisher:
        target = Target(self.place.store, f"{self.place.root}out/", self.dag_id, self.name, self.existing)
        return Publisher(self.records, target, used)

    def attempt(self, files: Files = FILES, used: Used = USED, before_end: Callable[[], None] = lambda: None) -> str:
        """What `assemble` does; whether the output was "made" or "kept"."""
        publisher = self.publisher(used)
        if publisher.settled() is not None:
            return "kept"
        with publisher.staging() as output:
            stage(output, files)
            before_end()
            publisher.publish(output, {"name": self.name})
        return "made"

    def listed(self) -> Files:
        """Names and digests by the list in the workspace."""
        listing = newest_listing(self.records)
        assert listing is not None
        return {file["name"]: bytes.fromhex(file["sha256"]) for file in listing["files"]}


def stage(output: Output, files: Files) -> None:
    for name, data in files.items():
        with output.open(name) as out:
            out.write(data[: 4 * MIB])
            out.write(data[4 * MIB :])


def seen(place: Place) -> dict[str, bytes]:
    """What lies in the destination, but for our own folder."""
    root = unquote(place.root) + "out/"
    uris = [info.uri for info in place.store.list(place.root + "out/")]
    names = {uri: unquote(uri).removeprefix(root) for uri in uris}
    return {name: place.store.read(uri) for uri, name in names.items() if not name.startswith("_triptych/")}


def own(place: Place) -> list[str]:
    return place.names("out/_triptych/")


def assert_whole(run: Run, files: Files = FILES) -> None:
    """These files are there and listed, and nothing is left of any attempt."""
    assert seen(run.place) == files
    assert run.listed() == {name: hashlib.sha256(data).digest() for name, data in files.items()}
    assert run.place.names(f"work/{run.dag_id}/{run.name[:6]}/staging/") == []
    (there,) = own(run.place)
    assert json.loads(run.place.store.read(run.place.root + there)) == newest_listing(run.records)
    for name in files:
        assert run.place.left(f"{run.place.root}out/{name.replace(' ', '%20')}") == []


def put(place: Place, name: str, data: bytes) -> ObjectInfo:
    place.store.put(f"{place.root}out/{name}", data)
    return place.store.stat(f"{place.root}out/{name}")
