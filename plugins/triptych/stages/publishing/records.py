"""What is written about the makings of a run's output: `staging/`, `publish/<n>.json` and `output/<n>.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import unquote

from triptych.errors import EngineError, ObjectNotFoundError
from triptych.jobs.records import read_record
from triptych.jobs.workspace import Workspace
from triptych.storage import FileEntry, StagedObject, Store

LIST_BYTES = 256 << 20
"""Most of a record that names every file of an output."""
_RECORD = re.compile(r"([0-9]{1,18})\.json")
Listing = Mapping[str, Any]
"""The list of an output: `name`, `uri`, `chunks`, `failed`, and `files`, each with `name`, `size`, `sha256`, `etag`.

`sources`, `blocks` and `provenance` tell what they were made of.
"""


@dataclass(frozen=True)
class Used:
    """What of the run an output was made from: its plan, and of each pack's log the entry that was read.

    An entry is a generation and a number, `{"0-16": [0, 3]}`.
    """

    generation: int
    positions: Mapping[str, Sequence[int]]

    def is_newer(self, other: Used) -> bool:
        """Whether this is a later plan, or the same one with more in some pack's log."""
        if self.generation != other.generation:
            return self.generation > other.generation
        return any(tuple(mine) > tuple(other.positions.get(pack, ())) for pack, mine in self.positions.items())


@dataclass(frozen=True)
class Packed:
    """Where the bytes of a small file lie until they are put: `object` is below the run's root."""

    object: str
    offset: int


@dataclass(frozen=True)
class MadeFile:
    """One file of a making: what it is, and how it comes to its final name.

    It waits in the destination's store (`staged`), or in the workspace (`packed`), or is there already, unchanged from
    an earlier making (neither). `replaces` is the etag of what has its name when the making is decided; None: nothing.
    """

    file: FileEntry
    replaces: str | None = None
    staged: StagedObject | None = None
    packed: Packed | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MadeFile:
        """What `asdict` made of one."""
        staged, packed = data["staged"], data["packed"]
        return cls(
            FileEntry(**data["file"]),
            data["replaces"],
            StagedObject(**{**staged, "parts": tuple(staged["parts"])}) if staged else None,
            Packed(**packed) if packed else None,
        )


@dataclass(frozen=True)
class OldFile:
    """A file below the destination that a making removes, if it is still this version."""

    name: str
    etag: str


@dataclass(frozen=True)
class Making:
    """One making of a run's output, by the attempt of this token: decided once `publish/<number>.json` is there.

    `old_lists` are URIs of lists of earlier runs whose files are removed. `summary` is the output's list but for files.
    """

    number: int
    token: str
    used: Used
    uri: str
    files: tuple[MadeFile, ...]
    removes: tuple[OldFile, ...]
    old_lists: tuple[str, ...]
    summary: Listing

    def to_json(self) -> bytes:
        """As `publish/<n>.json` holds it."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, text: bytes, label: str) -> Making:
        """What `to_json` wrote; IntegrityError, with the label, for anything else."""
        return read_record(text, label, cls._of)

    @classmethod
    def _of(cls, data: Mapping[str, Any]) -> Making:
        return cls(
            data["number"],
            data["token"],
            Used(**data["used"]),
            data["uri"],
            tuple(MadeFile.from_json(file) for file in data["files"]),
            tuple(OldFile(**file) for file in data["removes"]),
            tuple(data["old_lists"]),
            data["summary"],
        )


@dataclass(frozen=True)
class StagingRecord:
    """What an attempt may leave in the destination's store: `uploads` has, by name, the uploads that were there before.

    What lies aside has the token in its name.
    """

    token: str
    uri: str
    uploads: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """As `staging/<token>-<k>.json` holds it."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, text: bytes, label: str) -> StagingRecord:
        """What `to_json` wrote; IntegrityError, with the label, for anything else."""
        return read_record(text, label, lambda data: cls(**data))


class Records:
    """The records of one run's output, below the root of its workspace."""

    def __init__(self, store: Store, root: str) -> None:
        self.store = store
        self.root = root

    def makings(self) -> list[Making]:
        """All that were decided, in order."""
        found = [_RECORD.fullmatch(name) for name in self._names("publish")]
        numbers = sorted(int(match[1]) for match in found if match)
        return [self._making(self._publish_uri(number)) for number in numbers]

    def decide(self, making: Making) -> Making:
        """Write the record of this number, unless one is there: the one that counts."""
        uri, text = self._publish_uri(making.number), making.to_json()
        # Half: the output's list is spaced, for people.
        if len(text) > LIST_BYTES // 2:
            msg = (
                f"The output has {len(making.files):,} files, whose list would be {len(text) >> 20} MiB, and "
                f"{LIST_BYTES >> 21} MiB are the most. Use an assembler that joins them."
            )
            raise EngineError(msg)
        if self.store.put_if_absent(uri, text):
            return making
        # It may be ours: a client whose answer was lost puts again, and is refused by its own object.
        return self._making(uri)

    def _making(self, uri: str) -> Making:
        return Making.from_json(self.store.read(uri, LIST_BYTES), uri)

    def finish(self, number: int, listing: Listing) -> Listing:
        """Say that all files of this making are in place; the list that counts is of who says so first."""
        if self.store.put_if_absent(self._output_uri(number), listing_text(listing)):
            return listing
        return self.listing(number) or listing

    def listing(self, number: int) -> Listing | None:
        """The output's list; None while this making is not finished."""
        try:
            return read_listing(self.store, self._output_uri(number))
        except ObjectNotFoundError:
            return None

    def listed(self) -> list[int]:
        """Of the makings that are finished."""
        return [int(match[1]) for name in self._names("output") if (match := _RECORD.fullmatch(name))]

    def staging_uri(self, name: str) -> str:
        """An object that is of use until a making is finished; its name begins with the attempt's token."""
        return f"{self.root}/staging/{name}"

    def staging_names(self) -> list[str]:
        """What lies there now."""
        return self._names("staging")

    def _names(self, folder: str) -> list[str]:
        prefix = f"{self.root}/{folder}/"
        # Decoded: a store's spelling of a URI may escape more than ours.
        return [unquote(info.uri).removeprefix(unquote(prefix)) for info in self.store.list(prefix)]

    def _publish_uri(self, number: int) -> str:
        return f"{self.root}/publish/{number}.json"

    def _output_uri(self, number: int) -> str:
        return f"{self.root}/output/{number}.json"


def newest_listing(workspace: Workspace) -> Listing | None:
    """The list of a run's newest output that is in place; None without one."""
    records = Records(workspace.store, workspace.root)
    numbers = records.listed()
    return records.listing(max(numbers)) if numbers else None


def read_listing(store: Store, uri: str) -> Listing:
    """The list of an output at this URI; IntegrityError for anything else that lies there."""
    return read_record(store.read(uri, LIST_BYTES), uri, _as_listing)


def _as_listing(data: Mapping[str, Any]) -> Listing:
    """The list itself, when its files are files; the rest is its writer's summary, who judges it."""
    kinds = {"name": str, "size": int, "sha256": str}
    for file in data["files"]:
        if not all(isinstance(file[key], kind) for key, kind in kinds.items()):
            msg = f"{file!r} is no file"
            raise TypeError(msg)
    return data


def listing_text(listing: Listing) -> bytes:
    """A list as it is written, for people too."""
    return json.dumps(listing, ensure_ascii=False, indent=1).encode()
