"""Plans and tries that no stage made, for tests of the log alone."""

from __future__ import annotations

from triptych.jobs.pack_log import Attempted, LogPart, ResultFile
from triptych.jobs.packs import packs
from triptych.jobs.plan import PACKAGE, Plan, PlannedPack
from triptych.storage import FileEntry


def planned(
    chunks: int, per_pack: int = 100, generation: int = 0, kept: dict[int, dict[str, int]] | None = None
) -> Plan:
    """A plan of so many chunks of nothing."""
    nothing = FileEntry("none", 0, "0" * 64)
    shares = [PlannedPack(pack["first"], pack["count"], 0, 0, "0" * 64) for pack in packs(chunks, per_pack)]
    return Plan(
        generation=generation,
        package=PACKAGE,
        token="t",
        job=nothing,
        chunk_list=nothing,
        chunks=chunks,
        size=0,
        blocks={},
        packs=tuple(shares),
        kept=kept or {},
    )


def tried(chunk: int, attempt: str, serial: int = 0, error: str | None = None, round_: str = "1") -> Attempted:
    """A try that left one file, or failed; it printed something."""
    name = f"{attempt}-{serial}"
    files = () if error else (ResultFile("r.txt", 1, "0" * 64, f"results/{name}", 0),)
    return Attempted(
        chunk,
        attempt,
        serial,
        round_,
        started=0.0,
        seconds=0.5,
        worker="w",
        error=error,
        files=files,
        log=LogPart(f"logs/{name}", 0, 3),
    )
