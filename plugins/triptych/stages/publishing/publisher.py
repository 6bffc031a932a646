"""From staged files to an output: one attempt is decided on, and any attempt rolls it forward."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, unquote

from triptych.errors import DestinationError, EngineError, IntegrityError, ObjectNotFoundError
from triptych.harmless import harmless_logger
from triptych.jobs.locations import OWN_FOLDER
from triptych.jobs.workspace import folder_name
from triptych.stages.publishing.cleaning import clean_up, tried
from triptych.stages.publishing.finishing import StagedNoMoreError, known_files, roll_forward
from triptych.stages.publishing.names import Existing, KnownFile, Names, allowed_name
from triptych.stages.publishing.records import LIST_BYTES, Listing, MadeFile, Making, OldFile, Records, Used
from triptych.stages.publishing.staging import StagedOutput
from triptych.storage import Store

_log = harmless_logger(__name__)
_NO_LIST = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    EngineError,
    IntegrityError,
    ObjectNotFoundError,
)
"""What reading says of an object that is no list of ours."""


@dataclass(frozen=True)
class Target:
    """Where a run's output goes: below `uri`, which ends in `/`, in this store, as that of this DAG's run."""

    store: Store
    uri: str
    dag_id: str
    run_id: str
    existing: Existing
    links_s: int | None = None
    """How long links to its files last, where it is to have any."""

    @property
    def lists_uri(self) -> str:
        """The lists of all outputs of this DAG here, one for each run."""
        return f"{self.uri}{OWN_FOLDER}/{quote(folder_name(self.dag_id), safe='')}/"

    @property
    def list_uri(self) -> str:
        """The list of this run's output."""
        return f"{self.lists_uri}{quote(folder_name(self.run_id), safe='')}.json"


class Publisher:
    """One attempt at the output of one run, made from what `used` says.

    First `settled`; where that is None, an output is staged in the context `staging`, and in it `publish`ed.
    """

    def __init__(self, records: Records, target: Target, used: Used) -> None:
        self.used = used
        self.token = secrets.token_hex(8)
        self._records, self._target = records, target
        self._makings: list[Making] = []
        self._listings: dict[int, Listing] = {}
        self._earlier: list[EarlierOutput] = []
        self._at_start: list[str] = []
        self._may_be_decided = False

    def settled(self) -> Listing | None:
        """Roll forward what was decided and is unfinished: its list, unless more is known now than it was made from.

        None too when it cannot be finished, since what was staged of it is gone.
        """
        self._at_start = self._records.staging_names()
        self._read()
        if not self._ours():
            return None
        newest = self._ours()[-1]
        listing = self._finished_unless_gone(newest)
        if listing is None or self.used.is_newer(newest.used):
            return None
        self._clean([])
        return listing

    @contextmanager
    def staging(self) -> Iterator[StagedOutput]:
        """The output to write to; what was staged is taken back when the context ends with an error.

        DestinationError when `existing` is FAIL and something is there.
        """
        self._earlier = list(self._earlier_lists())
        names = self._names()
        if self._target.existing is Existing.FAIL:
            names.check_nothing_else()
        output = StagedOutput(names, self._records, self.token)
        try:
            yield output
        except BaseException:
            # Where it may have been decided on, whoever comes next rolls it forward, or cleans up.
            if not self._may_be_decided:
                output.take_back()
            raise
        finally:
            output.close()

    def publish(self, output: StagedOutput, summary: Listing) -> Listing:
        """Decide on this output, or on what another attempt made of as much, and put it in place: its list.

        `summary` is the list without its files.
        """
        files = output.complete()
        while True:
            mine = self._making(files, summary)
            self._may_be_decided = True
            decided = self._records.decide(mine)
            self._may_be_decided = decided.token == self.token
            self._makings.append(decided)
            listing = self._finished_unless_gone(decided) if decided.uri == self._target.uri else None
            if listing is not None and (self._may_be_decided or not self.used.is_newer(decided.used)):
                break
            _log.info("Output %d was of another attempt, and is made again.", decided.number)
            files = [replace(file, replaces=self._names().check(file.file.name)) for file in files]
        self._clean(output.objects)
        return listing

    def _read(self) -> None:
        self._makings = self._records.makings()
        found = ((making.number, self._records.listing(making.number)) for making in self._makings)
        self._listings = {number: listing for number, listing in found if listing is not None}

    def _ours(self) -> list[Making]:
        """Those here: temporary storage is another place once its time is over."""
        return [making for making in self._makings if making.uri == self._target.uri]

    def _names(self) -> Names:
        ours = known_files(self._ours(), self._listings)
        for each in self._earlier:
            for name, known in each.files.items():
                ours.setdefault(name, []).append(known)
        return Names(self._target.store, self._target.uri, ours)

    def _finished(self, making: Making) -> Listing:
        """The list of a making that is finished, or is then."""
        if making.number not in self._listings:
            try:
                listing = roll_forward(
                    making, self._names(), self._records, self._target.list_uri, self._target.links_s
                )
            except (DestinationError, StagedNoMoreError):
                # Another attempt may have finished it meanwhile, and a later making gone on from there.
                finished = self._records.listing(making.number)
                if finished is None:
                    raise
                listing = finished
            self._listings[making.number] = listing
        return self._listings[making.number]

    def _finished_unless_gone(self, making: Making) -> Listing | None:
        """The same; None for another attempt's when what was staged is gone, so that there has to be one more."""
        try:
            return self._finished(making)
        except StagedNoMoreError as error:
            if making.token == self.token:
                raise
            _log.warning("Output %d cannot be finished. %s", making.number, error)
            return None

    def _making(self, files: Sequence[MadeFile], summary: Listing) -> Making:
        """The next making: these files in place of our earlier ones, of which those stay that are the same."""
        names = self._names()
        made = [replace(file, staged=None, packed=None) if names.is_same(file) else file for file in files]
        number = self._makings[-1].number + 1 if self._makings else 0
        removes = self._removed(names, {file.file.name for file in files})
        old_lists = tuple(each.uri for each in self._earlier)
        return Making(number, self.token, self.used, self._target.uri, tuple(made), tuple(removes), old_lists, summary)

    def _removed(self, names: Names, made: set[str]) -> Iterator[OldFile]:
        """Files of ours that are not made again."""
        for name, versions in names.ours.items():
            if name in made:
                continue
            etags = {known.etag for known in versions if known.etag is not None}
            if any(known.etag is None for known in versions):
                there = names.look(name)
                if there and names.is_ours(name, there):
                    etags = {there.etag}
            yield from (OldFile(name, etag) for etag in sorted(etags))

    def _earlier_lists(self) -> Iterator[EarlierOutput]:
        """With REPLACE, what earlier runs of this DAG say that they wrote here; with ADD a word about any others."""
        if self._target.existing is Existing.REPLACE:
            for info in list(self._target.store.list(self._target.lists_uri)):
                if unquote(info.uri) != unquote(self._target.list_uri):
                    yield EarlierOutput.read(self._target.store, info.uri)
        elif self._target.existing is Existing.ADD:
            found = [unquote(info.uri) for info in self._target.store.list(f"{self._target.uri}{OWN_FOLDER}/")]
            others = [uri for uri in found if uri.endswith(".json") and uri != unquote(self._target.list_uri)]
            if others:
                _log.warning(
                    "%s: %d earlier output(s) stay beside this one, as `config.existing` is `add`: %s ...",
                    self._target.uri,
                    len(others),
                    others[0],
                )

    def _clean(self, own: Sequence[str]) -> None:
        """Remove what this attempt staged, and what those left that had begun before it."""
        objects = [*self._at_start, *own]
        if objects:
            tried("what attempts staged", partial(self._clean_objects, objects))

    def _clean_objects(self, objects: Sequence[str]) -> None:
        newest = self._records.makings()[-1]
        unfinished = [] if self._records.listing(newest.number) else [newest]
        clean_up(self._records, self._target.store, objects, unfinished)


@dataclass(frozen=True)
class EarlierOutput:
    """What the list of an earlier run says that it wrote: whoever may write to the destination may have changed it."""

    uri: str
    files: Mapping[str, KnownFile]

    @classmethod
    def read(cls, store: Store, uri: str) -> EarlierOutput:
        """Of a list that is none of ours, nothing."""
        files: dict[str, KnownFile] = {}
        try:
            for file in json.loads(store.read(uri, LIST_BYTES))["files"]:
                files[allowed_name(file["name"])] = KnownFile(int(file["size"]), str(file["sha256"]), str(file["etag"]))
        except _NO_LIST as error:
            _log.warning("%s: not the list of an output: %s", uri, error)
        return cls(uri, files)
