"""A job's plan: what is frozen of it, each part by its digest, so that the plan's own digest vouches for all.

`partition` writes plan 0; a repair with new code writes the next. The first to put a number's object has it for ever.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from triptych import __version__
from triptych.blocks import Role
from triptych.errors import ConfigError, IntegrityError, ObjectNotFoundError, VersionError
from triptych.jobs.packs import Pack
from triptych.jobs.records import read_record
from triptych.jobs.removed import check_not_removed
from triptych.jobs.side_inputs import SideInput
from triptych.jobs.sources import SourceEntry
from triptych.jobs.spec import JobSpec
from triptych.jobs.workspace import ChunkEntry, Workspace, to_json
from triptych.storage import FileEntry

FORMAT = 2
"""Of the workspace, as docs/explanation/workspace.md has it. 1, of Triptych 0.1, had a commit per chunk and no plan."""
PACKAGE = ".".join(__version__.split(".")[:2])
"""Our own code counts, too: the stages of a job run on one minor version of it."""
_NAME = re.compile(r"plans/(\d+)\.json")


@dataclass(frozen=True)
class PlanRef:
    """A plan's generation, and the SHA-256 of its object; as text `0:9f86d0...`, which travels by XCom."""

    generation: int
    sha256: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the text; IntegrityError for any other."""
        generation, _, digest = text.partition(":")
        if not generation.isdigit() or not re.fullmatch("[0-9a-f]{64}", digest):
            msg = f"{text!r} names no plan: it is the plan's number, a colon, and 64 hex digits."
            raise IntegrityError(msg)
        return cls(int(generation), digest)

    def __str__(self) -> str:
        return f"{self.generation}:{self.sha256}"

    @property
    def name(self) -> str:
        """The plan's object in the workspace."""
        return plan_name(self.generation)


@dataclass(frozen=True)
class FrozenBlock:
    """A block as the plan has it: the SHA-256 of its code's archive, its image and that one's digest, if it has one."""

    tag: str
    sha256: str
    image: str | None
    digest: str | None
    min_cpu: float | None = None
    """Cores that it may use; None of those without a limit, and in plans of before that was noted. So with memory."""
    min_memory_gib: float | None = None
    parallel: int = 1
    """As `Block.parallel`."""

    @property
    def code(self) -> str:
        """The archive's object in the workspace."""
        return code_name(self.sha256)


@dataclass(frozen=True)
class PlannedPack:
    """`count` chunks from number `first`; their lines are `length` bytes from `offset` of the chunk list."""

    first: int
    count: int
    offset: int
    length: int
    sha256: str

    @property
    def key(self) -> str:
        """By which its log and results lie in the workspace: `16-16`."""
        return f"{self.first}-{self.count}"


@dataclass(frozen=True)
class Plan:
    """`chunks` in number, `size` in bytes of all of them together; `package` is our own minor version."""

    generation: int
    package: str
    token: str
    """Of the attempt at `partition`, under which it stored what is its own."""
    job: FileEntry
    chunk_list: FileEntry
    chunks: int
    size: int
    blocks: Mapping[Role, FrozenBlock]
    packs: tuple[PlannedPack, ...]
    kept: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    """Of an older plan, and each pack's key, the number of the log entry up to which its results count here, too."""
    run: str = ""
    """Whose it is, as `Workspace.run`; empty in plans of before that was noted."""
    inputs: tuple[SideInput, ...] = ()
    """The side inputs, with version and content of each file."""

    def pack_at(self, first: int) -> PlannedPack:
        """The pack that begins with this chunk; IntegrityError when none does."""
        found = next((pack for pack in self.packs if pack.first == first), None)
        if found is None:
            msg = f"plan {self.generation} has no pack that begins with chunk {first}. Clear the task `partition`."
            raise IntegrityError(msg)
        return found

    def pack_of(self, number: int) -> PlannedPack | None:
        """The pack that holds the chunk of this number; None where the job has no such chunk."""
        return next((pack for pack in self.packs if pack.first <= number < pack.first + pack.count), None)

    def tasks(self) -> list[Pack]:
        """The packs as their tasks get them by XCom."""
        return [Pack(first=pack.first, count=pack.count, chunks=self.chunks) for pack in self.packs]

    def lines_of(self, workspace: Workspace, pack: PlannedPack) -> list[ChunkEntry]:
        """The pack's part of the chunk list, checked; no more of it is read."""
        return workspace.chunks_of(FileEntry(self.chunk_list.name, pack.length, pack.sha256), pack.offset)

    def to_json(self) -> bytes:
        """The object; its SHA-256 is what `PlanRef` holds."""
        data = {
            "format": FORMAT,
            **asdict(self),
            "blocks": {role.value: asdict(block) for role, block in self.blocks.items()},
        }
        return to_json(data)

    @classmethod
    def from_json(cls, data: bytes, label: str) -> Self:
        """What `to_json` wrote. VersionError for another format's or another minor version's."""
        return read_record(data, label, lambda held: cls._of(held, label))

    @classmethod
    def _of(cls, held: dict[str, Any], label: str) -> Self:
        found = held.pop("format", 1)
        if found != FORMAT:
            msg = (
                f"{label}: has workspace format {found}, and this Triptych ({__version__}) reads {FORMAT}. Go on with "
                "a Triptych of that format, or launch the job anew."
            )
            raise VersionError(msg)
        return cls(
            **{
                **held,
                "job": FileEntry(**held["job"]),
                "chunk_list": FileEntry(**held["chunk_list"]),
                "blocks": {Role(role): FrozenBlock(**block) for role, block in held["blocks"].items()},
                "packs": tuple(PlannedPack(**pack) for pack in held["packs"]),
                "inputs": tuple(SideInput.from_json(each) for each in held.get("inputs", ())),
                "kept": {int(generation): packs for generation, packs in held["kept"].items()},
            }
        )


@dataclass(frozen=True)
class FrozenJob:
    """What was asked for; `started` in seconds since the epoch; `sources` in the order that ranges number them by."""

    spec: JobSpec
    started: float
    sources: tuple[SourceEntry, ...]


def plan_name(generation: int) -> str:
    """Where the plan of this generation lies in the workspace."""
    return f"plans/{generation}.json"


def code_name(sha256: str) -> str:
    """Where a block's code lies in the workspace, by the digest of its archive."""
    return f"code/{sha256}.tar"


def put_plan(workspace: Workspace, plan: Plan) -> PlanRef:
    """Make this the plan of its generation; the ref of the one that was first, which may be another's."""
    encoded = plan.to_json()
    ref = PlanRef(plan.generation, hashlib.sha256(encoded).hexdigest())
    if workspace.store.put_if_absent(workspace.uri(ref.name), encoded):
        return ref
    # Ours it may be all the same: a client whose answer was lost puts again, and is refused by its own object.
    winner = workspace.store.read(workspace.uri(ref.name))
    return PlanRef(plan.generation, hashlib.sha256(winner).hexdigest())


def read_plan(workspace: Workspace, ref: PlanRef) -> Plan:
    """The plan; VersionError when this package cannot run it.

    IntegrityError when its object has another digest, or is another run's: a store that does not tell upper from lower
    case gives `A` and `a` one folder, and the job of one would go on with the data of the other.
    """
    try:
        data = workspace.store.read(workspace.uri(ref.name))
    except ObjectNotFoundError:
        check_not_removed(workspace)
        raise
    found = hashlib.sha256(data).hexdigest()
    if found != ref.sha256:
        msg = (
            f"{workspace.uri(ref.name)}: has SHA-256 {found} and not {ref.sha256}: it was changed after it was written."
        )
        raise IntegrityError(msg)
    plan = Plan.from_json(data, workspace.uri(ref.name))
    if plan.run not in ("", workspace.run):
        msg = (
            f"{workspace.uri(ref.name)}: is the plan of {plan.run}, not of {workspace.run}. Where the workspace does "
            "not tell upper from lower case, launch the job under an id that differs by more than that."
        )
        raise IntegrityError(msg)
    return plan


def newest_plan(workspace: Workspace) -> PlanRef | None:
    """The plan of the highest generation, by its own word; None when `partition` has not come to its end yet."""
    found = [int(match[1]) for name in workspace.names("plans/") if (match := _NAME.fullmatch(name))]
    if not found:
        return None
    data = workspace.store.read(workspace.uri(plan_name(max(found))))
    return PlanRef(max(found), hashlib.sha256(data).hexdigest())


def planned(workspace: Workspace) -> PlanRef:
    """The newest plan; IntegrityError when there is none, or retention took the run."""
    check_not_removed(workspace)
    ref = newest_plan(workspace)
    if ref is None:
        msg = f"{workspace.root}: holds no plan: no such run, or its `partition` did not come to its end. Launch anew."
        raise IntegrityError(msg)
    return ref


def check_kept(workspace: Workspace, plan: Plan) -> None:
    """ConfigError for a job whose data were removed once it had ended: its plan, measures and logs are all there is."""
    if not workspace.names(plan.blocks[Role.APP].code):
        msg = (
            f"{workspace.root}: this job is done, and only its plan, measures and logs were kept: `triptych job show` "
            "tells them. Launch it anew; `triptych run --keep` keeps all of a job."
        )
        raise ConfigError(msg)


def check_package(plan: Plan) -> None:
    """VersionError unless this process runs the minor version of our package that the plan was made with."""
    if plan.package != PACKAGE:
        msg = (
            f"This is Triptych {PACKAGE}, and the job was planned by {plan.package}. A worker that has "
            f"{plan.package} can go on with it; or make a plan for this one: `triptych run TEMPLATE --resume RUN "
            "--new-code keep`, in Airflow `triptych job retry RUN --new-code keep`."
        )
        raise VersionError(msg)


def save_job(workspace: Workspace, token: str, frozen: FrozenJob) -> FileEntry:
    """Write the job under the attempt's own name; a plan says whether it counts."""
    data = {
        "spec": frozen.spec.to_json(),
        "started": frozen.started,
        "sources": [asdict(entry) for entry in frozen.sources],
    }
    return workspace.put_json(f"job/{token}.json", data)


def read_job(workspace: Workspace, plan: Plan) -> FrozenJob:
    """The job of this plan, checked against it."""
    return read_record(workspace.read_checked(plan.job), workspace.uri(plan.job.name), _frozen_job)


def _frozen_job(data: Mapping[str, Any]) -> FrozenJob:
    sources = tuple(SourceEntry.from_json(entry) for entry in data["sources"])
    return FrozenJob(JobSpec.from_json(data["spec"]), data["started"], sources)
