"""The records of jobs that nobody ran, made through the real writers: as many chunks as a test wants."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from triptych.blocks import Role
from triptych.jobs.locations import Location
from triptych.jobs.pack_log import Attempted, LogPart, PackLog, ResultFile
from triptych.jobs.packs import packs
from triptych.jobs.plan import PACKAGE, FrozenBlock, FrozenJob, Plan, PlannedPack, put_plan, save_job
from triptych.jobs.sources import SourceEntry
from triptych.jobs.spec import JobSpec
from triptych.jobs.workspace import ByteRange, ChunkEntry, Workspace
from triptych.storage import FileEntry
from triptych.storage.files import FileStore

TOKEN = "7c8d3a3dbdfef149"
LAUNCHED = 1795670853.5
MIB = 1 << 20
SLOTS, WORKERS = 8, 4
REASONS = (
    (3, "exit code 3.", "ValueError: row {row} of /data/in/part-{chunk:05d}.csv has {row} fields, expected 12"),
    (137, "ran out of memory: it went beyond its limit of 0.5 GiB (exit code 137). Raise it.", "decoding frame {row}"),
    (1, "exit code 1.", "ConnectionError: token 0x{row:08x} was refused by https://models.example/v{chunk}"),
)  # fmt: skip


def workspace_at(folder: Path, run: str = "manual__2026-11-26T09:00:00+00:00") -> Workspace:
    """An empty workspace on files of the DAG `enhance`."""
    return Workspace(FileStore((folder,)), f"{folder.as_uri()}/enhance/{run}")


def plan_of(workspace: Workspace, chunks: int, *, per_task: int | None = None, name: str = "enhance photos") -> Plan:
    """Job, chunk list and plan of so many chunks, as `partition` leaves them; nothing of it has run."""
    lines = [entry(number).to_line() for number in range(chunks)]
    shares, offset = [], 0
    for pack in packs(chunks, per_task or (1 if chunks <= 16 else 8), 64):
        part = b"".join(lines[pack["first"] : pack["first"] + pack["count"]])
        digest = hashlib.sha256(part).hexdigest()
        shares.append(PlannedPack(pack["first"], pack["count"], offset, len(part), digest))
        offset += len(part)
    whole = b"".join(lines)
    workspace.store.put(workspace.uri(f"chunks/{TOKEN}.jsonl"), whole)
    source = SourceEntry("s3://photos/in.csv", None, 10_000 * chunks, "26e906")
    spec = JobSpec("enhance", name, (Location("s3://photos/in.csv"),), None, {role: {} for role in Role}, {})
    plan = Plan(
        generation=0,
        package=PACKAGE,
        token=TOKEN,
        job=save_job(workspace, TOKEN, FrozenJob(spec, LAUNCHED, (source,))),
        chunk_list=FileEntry(f"chunks/{TOKEN}.jsonl", len(whole), hashlib.sha256(whole).hexdigest()),
        chunks=chunks,
        size=sum(entry(number).size for number in range(chunks)),
        blocks={
            Role.PARTITIONER: FrozenBlock("rows@1.0", "c" * 64, None, None),
            Role.APP: FrozenBlock("enhance@1.2", "3" * 64, "python:3.11-slim", f"sha256:{'1' * 64}", 1.0, 0.5),
            Role.ASSEMBLER: FrozenBlock("concat@1.0", "f" * 64, None, None),
        },
        packs=tuple(shares),
        run=workspace.run,
    )
    put_plan(workspace, plan)
    return plan


def entry(number: int) -> ChunkEntry:
    """One line of the chunk list."""
    place = {"source_index": 0, "source": "in.csv", "part": number}
    return ChunkEntry(
        number, f"in.csv:{number}", 10_000, ranges=(ByteRange(0, number * 10_000, 10_000),), items=40, metadata=place
    )


def tell(workspace: Workspace, plan: Plan, pack: PlannedPack, tries: Sequence[Attempted]) -> None:
    """Put these tries of a pack into its log."""
    PackLog(workspace, plan, pack).append(tries)


def run_all(workspace: Workspace, plan: Plan, *, failed: float = 0.004, retried: float = 0.01, seed: int = 1) -> None:
    """Have all packs run, as workers with several slots would: some chunks fail, some fail first, some are slow.

    The last of those that fail for good is tried three times.
    """
    rolled = random.Random(seed)
    free = [LAUNCHED + 14 + rolled.random() for _ in range(SLOTS * WORKERS)]
    for pack in plan.packs:
        slot = min(range(len(free)), key=free.__getitem__)
        log = _Log(f"logs/0/{pack.key}/{slot:016x}-1")
        tries, free[slot] = _pack(rolled, pack, slot, free[slot], log, (failed, retried))
        workspace.store.put(workspace.uri(log.name), bytes(log.data) or b"\n")
        tell(workspace, plan, pack, tries)


class _Log:
    def __init__(self, name: str) -> None:
        self.name, self.data = name, bytearray()

    def part(self, text: str) -> LogPart:
        data = text.encode()
        self.data += data
        return LogPart(self.name, len(self.data) - len(data), len(data))


def _pack(
    rolled: random.Random, pack: PlannedPack, slot: int, now: float, log: _Log, shares: tuple[float, float]
) -> tuple[list[Attempted], float]:
    attempt = f"{rolled.getrandbits(64):016x}"
    tries: list[Attempted] = []

    def run(number: int, reason: tuple[int, str, str] | None) -> None:
        nonlocal now
        seconds = rolled.lognormvariate(0.0, 0.35) * (9 if rolled.random() < 0.002 else 1)
        text, error = "", None
        if reason:
            row = rolled.randrange(1, 99_999)
            last = reason[2].format(row=row, chunk=number)
            text = "".join(f"reading row {row - 9 + step}\n" for step in range(10)) + f"{last}\n"
            error = f"Chunk {number} (in.csv:{number}): {reason[1]}\nLast lines of its log:\n  | {last}"
        peak = int(min(0.49, rolled.gauss(0.31, 0.05)) * 1024 * MIB) if not reason or reason[0] != 137 else 512 * MIB
        tries.append(
            Attempted(
                chunk=number,
                attempt=attempt,
                serial=len(tries),
                round="2",
                started=now,
                seconds=seconds,
                worker=f"worker-{slot // SLOTS}",
                bytes_in=10_000,
                cpu_seconds=seconds * rolled.uniform(0.6, 0.98),
                peak_memory_bytes=max(MIB, peak),
                exit_code=reason[0] if reason else 0,
                error=error,
                files=()
                if error
                else (ResultFile("out.csv", 12_000, "0" * 64, f"results/0/{pack.key}/{attempt}-1", 0),),
                log=log.part(text) if text else None,
            )
        )
        now += seconds + 0.01

    again: list[int] = []
    for number in range(pack.first, pack.first + pack.count):
        chance = rolled.random()
        if chance < shares[0]:
            reason = rolled.choices(REASONS, (6, 3, 1))[0]
            for _ in range(3):
                run(number, reason)
        elif chance < sum(shares):
            run(number, REASONS[2])
            again.append(number)
        else:
            run(number, None)
    for number in again:
        run(number, None)
    return tries, now
