"""A repair: the next plan of a job, of the same chunks, with other code or another destination.

The plan before stays as it is. Of its log only the entries that are there now may count in the new one; what an attempt
of the old code writes later never does.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from triptych.blocks import Block, Role
from triptych.blocks.networks import network_of
from triptych.errors import JobSpecError, ObjectConflictError
from triptych.harmless import harmless_logger
from triptych.jobs.code import freeze_code
from triptych.jobs.locations import Location
from triptych.jobs.pack_log import States, read_states
from triptych.jobs.plan import (
    PACKAGE,
    FrozenBlock,
    FrozenJob,
    Plan,
    PlanRef,
    check_package,
    planned,
    put_plan,
    read_job,
    read_plan,
    save_job,
)
from triptych.jobs.spec import JobSpec, block_params
from triptych.jobs.workspace import Workspace
from triptych.running import checked_images
from triptych.running.scratch import scratch_folder
from triptych.settings import Settings
from triptych.stages.frozen_code import store_code
from triptych.stages.preflight import preflight
from triptych.storage import Stores

REPAIRED = (Role.APP, Role.ASSEMBLER)
"""Whose code a repair takes anew: the chunks are cut, and stay as they are."""
_log = harmless_logger(__name__)


class NewCode(StrEnum):
    """What becomes of the results that other code made, when a job goes on with new code."""

    KEEP = "keep"
    RERUN = "rerun"


@dataclass(frozen=True)
class Change:
    """What a repair changes of a job: the code of these blocks; where its output goes."""

    blocks: Mapping[Role, Block]
    """Of all roles, or none: the code stays."""
    new_code: NewCode = NewCode.KEEP
    destination: Location | None = None


@dataclass(frozen=True)
class Repaired:
    """The plan that a job goes on with. `kept` chunks have a result in it; `is_new` unless it was there already.

    `lacking` are the packs that have not all of theirs, by their place in the plan: their tasks' map indices.
    """

    ref: PlanRef
    plan: Plan
    kept: int
    is_new: bool
    lacking: frozenset[int]


def repair(settings: Settings, workspace: Workspace, stores: Stores, change: Change) -> Repaired:
    """Put the plan after the newest; when that has no log yet and says the same, it is the one.

    What of the change would end the job later is found before, as in `partition`. JobSpecError when the parameters
    are none for the new code; ObjectConflictError when another repair of this job came first.
    """
    ref = planned(workspace)
    plan = read_plan(workspace, ref)
    if not change.blocks:
        check_package(plan)
    frozen = read_job(workspace, plan)
    spec = _spec(frozen.spec, change)
    wanted = {role: block for role, block in change.blocks.items() if role in REPAIRED}
    if change.destination:
        preflight(settings, spec, {}, workspace, stores)
    for block in wanted.values():
        network_of(block, settings)
    # Where there are many machines, whether an engine can run the app is for its first pack to find.
    images = checked_images(wanted, settings, REPAIRED if settings.one_machine else ()) if wanted else {}
    with scratch_folder(settings.scratch) as work:
        blocks = {role: store_code(workspace, block, images[role], work) for role, block in wanted.items()}
    if Role.PARTITIONER in change.blocks and _differ(settings, plan, change.blocks, (Role.PARTITIONER,)):
        _log.warning(
            "The partitioner %s is another than at the launch, which changes nothing: the chunks are cut already.",
            change.blocks[Role.PARTITIONER].tag,
        )
    job = plan.job
    if spec != frozen.spec:
        job = save_job(workspace, secrets.token_hex(8), FrozenJob(spec, frozen.started, frozen.sources))
    states = read_states(workspace, plan) if change.new_code is NewCode.KEEP else {}
    following = replace(
        plan,
        generation=ref.generation + 1,
        package=PACKAGE,
        job=job,
        blocks={**plan.blocks, **blocks},
        kept=_kept(states),
    )
    # What counts in the next plan is what was read here, also when an attempt of the old code writes on meanwhile.
    done = [len(states[pack][1].done) if pack in states else 0 for pack in plan.packs]
    lacking = frozenset(index for index, pack in enumerate(plan.packs) if done[index] < pack.count)
    if _says_the_same(workspace, plan, following):
        return Repaired(ref, plan, sum(done), is_new=False, lacking=lacking)
    made = put_plan(workspace, following)
    if read_plan(workspace, made) != following:
        msg = f"{workspace.uri(made.name)}: another repair of this job came first. Give the command again."
        raise ObjectConflictError(msg)
    return Repaired(made, following, sum(done), is_new=True, lacking=lacking)


def changed_blocks(settings: Settings, plan: Plan, blocks: Mapping[Role, Block]) -> list[str]:
    """Tags of the app and the assembler whose code, or manifest, is another now than in the plan."""
    return _differ(settings, plan, blocks, REPAIRED)


def _differ(settings: Settings, plan: Plan, blocks: Mapping[Role, Block], roles: tuple[Role, ...]) -> list[str]:
    with scratch_folder(settings.scratch) as work:
        digests = {role: freeze_code(blocks[role], work / f"{role}.tar") for role in roles}
    return [blocks[role].tag for role in roles if digests[role] != plan.blocks[role].sha256]


def _spec(spec: JobSpec, change: Change) -> JobSpec:
    """The job with what is changed of it: the destination; parameters that the new code has a default for."""
    params = dict(spec.params)
    for role in REPAIRED:
        if role in change.blocks:
            try:
                params[role] = block_params(change.blocks[role], spec.params[role])
            except JobSpecError as error:
                msg = f"{change.blocks[role].tag}, as it is now, does not take the job's parameters. {error}"
                raise JobSpecError(msg) from error
    return replace(
        spec,
        params=params,
        destination=change.destination or spec.destination,
        temporary=spec.temporary and change.destination is None,
    )


def _kept(states: States) -> dict[int, dict[str, int]]:
    """By generation and pack, the log entry up to which results count now; one holds those before it, too."""
    kept: dict[int, dict[str, int]] = defaultdict(dict)
    for pack, (position, _) in states.items():
        if position.number:
            kept[position.generation][pack.key] = position.number
    return dict(kept)


def _says_the_same(workspace: Workspace, plan: Plan, following: Plan) -> bool:
    """Whether nothing was done under the plan yet, and nothing would be done otherwise under the following one."""
    if workspace.names(f"commits/{plan.generation}/"):
        return False
    return _substance(plan) == _substance(following)


def _substance(
    plan: Plan,
) -> tuple[str, str, Mapping[Role, FrozenBlock], Mapping[int, Mapping[str, int]]]:
    return plan.package, plan.job.sha256, plan.blocks, plan.kept
