"""Each store beside its vendor's own parallel transfer: the same parts and concurrency, alternated runs, one machine.

    PYTHONPATH=plugins:. python benchmarks/platform/stores.py [--mb 1000] [--objects 1000] [--runs 9] [STORE ...]

Two processes per store, "ours" and "vendor's", do the same in turn: one large object up and down, and many of 10 kB up
and down. Ours hashes all bytes (SHA-256), as every transfer of a job does. "ratio" is the vendor's time by ours of the
same turn: the median, and in brackets its interval of at least 95 % (order statistics; all of it below 6 runs).
CPU is the client's alone, and so is the peak of memory above what it had before.
Files are moved beside two others: the kernel's copy alone, and with a SHA-256 of the copy ("hashed-files").
The servers are local and cost CPU of the same machine. Google's is a double of the tests in a process of its own, since
no emulator serves what `transfer_manager` uploads by.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from math import comb
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.platform import transfers
from tests.support.google_rules import google_rules
from tests.support.servers import (
    AZURE_KEY,
    GCS_CONNECTION,
    azure_connection,
    azurite,
    fake_gcs_server,
    s3_client,
    seaweed,
)

SMALL_BYTES = 10_000
STEPS = ("up", "down", "many_up", "many_down")
"""In this order: what goes down was sent up."""
TURNS_PER_SERVER = 3
"""Servers keep what was replaced for a while: nine turns of 1 GB would take 20 GB of disk."""
SHOWN = {"up": "{mb} MB up", "down": "{mb} MB down", "many_up": "{n} x 10 kB up", "many_down": "{n} x 10 kB down"}


@dataclass(frozen=True)
class Run:
    """One step of one side: wall and CPU seconds of its process, and the peak of its memory above the start, MiB."""

    seconds: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        _child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("stores", nargs="*", metavar="STORE", help=f"of {', '.join(SERVERS)}; by default all")
    given = parser.parse_args()
    if unknown := set(given.stores) - set(SERVERS):
        parser.error(f"no store {', '.join(sorted(unknown))}")
    print("| store | what | ours, s | CPU s | MiB | vendor's, s | CPU s | MiB | ratio |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for store in given.stores or SERVERS:
        with tempfile.TemporaryDirectory() as name:
            _measure(store, Path(name), given)


def _measure(store: str, folder: Path, given: argparse.Namespace) -> None:
    work = folder / "inputs"
    _write_inputs(work, given.mb * 1_000_000, given.objects)
    turns: list[list[list[Run]]] = []
    while len(turns) < given.runs:
        turns += _turns(store, folder / f"after-{len(turns)}", work, min(TURNS_PER_SERVER, given.runs - len(turns)))
        out = sys.stdout if len(turns) == given.runs else sys.stderr
        for number, step in enumerate(STEPS):
            pairs = [turn[number] for turn in turns]
            what = SHOWN[step].format(mb=given.mb, n=given.objects)
            print(f"| {store} | {what} | {_row(pairs)} |", file=out, flush=True)
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{store}: the machine's load at the end, of 1, 5 and 15 minutes: {loads}", file=sys.stderr, flush=True)


def _turns(store: str, folder: Path, inputs: Path, count: int) -> list[list[list[Run]]]:
    """So many turns of a server that is new: by turn, by step, by side."""
    folder.mkdir()
    work = folder / "work"
    shutil.copytree(inputs, work, copy_function=os.link)
    with SERVERS[store](folder) as environment, ExitStack() as stack:
        sides = [stack.enter_context(_side(store, name, work, environment)) for name in ("ours", "vendor")]
        for side in sides:
            side("warm")
        turns = []
        for number in range(count):
            # Who begins has the page cache as the other left it: in turn.
            order = (0, 1) if number % 2 == 0 else (1, 0)
            taken = [{side: sides[side](step) for side in order} for step in STEPS]
            turns.append([[run[0], run[1]] for run in taken])
    shutil.rmtree(folder)
    return turns


def _write_inputs(work: Path, size: int, objects: int) -> None:
    small = work / "small"
    small.mkdir(parents=True)
    block = os.urandom(1_000_000)
    with (work / "large").open("wb") as out:
        for number in range(size // len(block)):
            out.write(number.to_bytes(8, "big") + block[8:])
    for number in range(objects):
        (small / f"{number:05d}").write_bytes(os.urandom(SMALL_BYTES))


def _row(pairs: Sequence[Sequence[Run]]) -> str:
    cells = []
    for side in (0, 1):
        runs = [pair[side] for pair in pairs]
        cells.append(f"{statistics.median(run.seconds for run in runs):.2f}")
        cells.append(f"{statistics.median(run.cpu_s for run in runs):.2f}")
        cells.append(f"{max(run.peak_mib for run in runs):.0f}")
    ratios = sorted(vendor.seconds / ours.seconds for ours, vendor in pairs)
    low, high = interval(ratios)
    return f"{' | '.join(cells)} | {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of the median of sorted values, at least 95 %: of 9, the second and the eighth (96 %); of fewer than 6, all."""
    count = len(values)

    def missed(cut: int) -> float:
        return sum(comb(count, number) for number in range(cut + 1)) / float(2 ** (count - 1))

    cut = max((cut for cut in range(count // 2) if missed(cut) <= 0.05), default=0)
    return values[cut], values[-1 - cut]


@contextmanager
def _side(store: str, name: str, work: Path, environment: dict[str, str]) -> Iterator[Callable[[str], Run]]:
    """A process that does the steps when it is told to."""
    env = {**os.environ, **environment, "AIRFLOW_HOME": str(work / "airflow")}
    command = [sys.executable, __file__, "--child", store, name, str(work)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdin
    assert process.stdout

    def run(step: str) -> Run:
        print(step, file=process.stdin, flush=True)
        line = process.stdout.readline()  # type: ignore[union-attr]  # It was asserted above.
        if not line:
            sys.exit(f"{name} of {store} ended in the step {step}.")
        return Run(**json.loads(line))

    try:
        yield run
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _child(store: str, name: str, work: str) -> None:
    """Do each step whose name comes in a line; answer with what it took."""
    out, sys.stdout = sys.stdout, sys.stderr  # Airflow prints.
    side = transfers.SIDES[store, name](Path(work), f"{name}-")
    for line in sys.stdin:
        Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew: proc(5).
        before, cpu, started = _status("VmRSS"), time.process_time(), time.monotonic()
        getattr(side, line.strip())()
        run = Run(time.monotonic() - started, time.process_time() - cpu, _status("VmHWM") - before)
        print(json.dumps(asdict(run)), file=out, flush=True)


def _status(key: str) -> float:
    """Of this process, in MiB."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


@contextmanager
def _files(folder: Path) -> Iterator[dict[str, str]]:
    yield {}


@contextmanager
def _s3(folder: Path) -> Iterator[dict[str, str]]:
    with seaweed(folder) as server, s3_client(server, "tests"):
        yield {"AIRFLOW_CONN_BENCH": server.connection}


@contextmanager
def _gcs(folder: Path) -> Iterator[dict[str, str]]:
    with fake_gcs_server(folder) as server:
        rules, ours = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_serve_rules, args=(server.endpoint, rules))
        process.start()
        try:
            yield {"STORAGE_EMULATOR_HOST": ours.recv(), "AIRFLOW_CONN_BENCH": GCS_CONNECTION}
        finally:
            ours.send(None)
            process.join()


def _serve_rules(upstream: str, parent: Connection) -> None:
    with google_rules(upstream) as rules:
        parent.send(rules.endpoint)
        parent.recv()


@contextmanager
def _azure(folder: Path) -> Iterator[dict[str, str]]:
    from azure.storage.blob import BlobServiceClient

    with azurite(folder) as server:
        with BlobServiceClient(server.endpoint, credential=AZURE_KEY) as client:
            client.create_container("tests")
        yield {"AIRFLOW_CONN_BENCH": azure_connection(server.endpoint, attempts=3), "BENCH_ENDPOINT": server.endpoint}


SERVERS = {"files": _files, "hashed-files": _files, "s3": _s3, "gcs": _gcs, "azure": _azure}

if __name__ == "__main__":
    main()
