"""What `partition` keeps of a job for its later stages, in `job.json`: they run that, whatever has changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from triptych.blocks import Block, Role, Template, code_digest
from triptych.errors import IntegrityError
from triptych.jobs.sources import SourceEntry
from triptych.jobs.spec import JobSpec
from triptych.jobs.workspace import Workspace


@dataclass(frozen=True)
class FrozenBlock:
    """A block when the job started: the SHA-256 of its code, its image and what digest that had (None: no image)."""

    tag: str
    sha256: str
    image: str | None
    digest: str | None

    @classmethod
    def of(cls, block: Block, image_digest: str | None) -> FrozenBlock:
        """The block as it lies on this machine now."""
        return cls(block.tag, code_digest(block), block.image, image_digest)


@dataclass(frozen=True)
class FrozenJob:
    """`started` is in seconds since the epoch; `sources` are numbered as the ranges of chunks number them."""

    spec: JobSpec
    started: float
    blocks: Mapping[Role, FrozenBlock]
    sources: tuple[SourceEntry, ...]


def save_frozen(workspace: Workspace, frozen: FrozenJob) -> None:
    """Write `job.json`."""
    data = {
        "spec": frozen.spec.to_json(),
        "started": frozen.started,
        "blocks": {role.value: asdict(block) for role, block in frozen.blocks.items()},
        "sources": [asdict(entry) for entry in frozen.sources],
    }
    workspace.put_json(workspace.job_uri, data)


def load_frozen(workspace: Workspace) -> FrozenJob | None:
    """What `job.json` holds; None when the stage `partition` has not written it yet."""
    data = workspace.read_json(workspace.job_uri)
    if data is None:
        return None
    return FrozenJob(
        spec=JobSpec.from_json(data["spec"]),
        started=data["started"],
        blocks={Role(role): FrozenBlock(**block) for role, block in data["blocks"].items()},
        sources=tuple(SourceEntry(**entry) for entry in data["sources"]),
    )


def check_code(frozen: FrozenJob, template: Template) -> None:
    """IntegrityError when a block's version or code is not what it was when the job started."""
    for role, block in template.blocks.items():
        before = frozen.blocks[role]
        if block.tag != before.tag or code_digest(block) != before.sha256:
            msg = (
                f"The {role} was {before.tag} when this job started and is now {block.tag} with other code "
                f"({block.folder}). Launch a new job, or put the old code back and clear the failed tasks."
            )
            raise IntegrityError(msg)
