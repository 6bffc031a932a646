"""What networks and stores do to requests, at every kind of request, with the client's real retries.

Whole jobs of the command, on S3 through a proxy; what ends with an error is taken up again, as its user would.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.faults.blocks import write_blocks, write_wide
from tests.faults.conftest import WHOLE, Ledger
from tests.faults.judge import Row, compare, expected_output, make_lines
from tests.faults.world import BUCKET, belongs
from tests.support.command_line import CommandLine, Ended, command_line
from tests.support.fault_proxy import Fault, FaultProxy, Request, Rule
from tests.support.servers import LOGIN, PASSWORD, Server, s3_connection
from triptych.settings import PROJECT

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
LINES, WIDTH, ROWS = 60, 100_000, 54
"""A chunk of 5.4 MB, whose result is sent in two parts, and one of 0.6 MB; an output of 6 MB: two parts."""
KINDS = {
    "joined": tuple(kind for kind in Request if kind not in (Request.COPY, Request.COPY_PART, Request.OTHER)),
    "passed": (Request.COPY,),
}
AFTER_A_FAILURE = (Request.ABORT_UPLOAD, Request.DELETE)
"""Made when something else went wrong: a part is refused first."""
COPIED = (Fault.RESET_AFTER, Fault.ERROR_IN_200)
"""Faults of which the short form has a job that copies, too."""
ATTEMPTS = 5
"""Of the client, for one request. One more fault than that, and the job ends with an error."""


@dataclass
class Bench:
    """The command, the store as the judge sees it, and the proxy between the two."""

    command: CommandLine
    proxy: FaultProxy
    store: Server
    lines: list[str]
    scratch: Path
    jobs: int = 0

    def s3(self) -> Any:
        """A client of the judge's own, straight to the store."""
        keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.store.endpoint, **keys)

    def run(self, app: str) -> tuple[Ended, bytes | None, list[str]]:
        """A job to its end: how it ended, its output, and what lies beside that."""
        self.jobs += 1
        place = f"out/{self.jobs}/"
        launch = ["run", app, "--quiet", "--runner", "process", "--workers", "2"]
        launch += [
            "--source",
            f"s3://{BUCKET}/in.txt",
            "--destination",
            f"s3://{BUCKET}/{place}",
            "--connection",
            "store",
        ]
        ended = self.command.until_done([*launch, "-p", f"partitioner.rows={ROWS}"])
        listed = self.s3().list_objects_v2(Bucket=BUCKET, Prefix=place).get("Contents", ())
        names = sorted(each["Key"].removeprefix(place) for each in listed)
        parts = [name for name in names if name.endswith(".txt")]
        data = [self.s3().get_object(Bucket=BUCKET, Key=place + name)["Body"].read() for name in parts]
        left = [place + name for name in names if not belongs(name) and name not in parts]
        return ended, b"".join(data) if data else None, left


@pytest.fixture(scope="module")
def bench(store: Server, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("command")
    write_blocks(home / "include")
    write_wide(home / "include")
    lines = make_lines("wide", LINES, WIDTH)
    env = {
        "AIRFLOW__TRIPTYCH__WORKSPACE": f"s3://{BUCKET}/by-command",
        "AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID": "store",
        "AIRFLOW__TRIPTYCH__PART_MIB": "5",
        "AIRFLOW__TRIPTYCH__SCRATCH": str(home / "scratch"),
        "AIRFLOW_CONN_STORE": s3_connection(proxy.endpoint, attempts=ATTEMPTS),
        "TRIPTYCH_INCLUDE": f"{home / 'include'}:{PROJECT / 'include'}",
    }
    with command_line(env, home) as command:
        bench = Bench(command, proxy, store, lines, home / "scratch")
        bench.s3().put_object(Bucket=BUCKET, Key="in.txt", Body="".join(f"{line}\n" for line in lines).encode())
        yield bench


def _kinds(fault: Fault, app: str) -> list[Request]:
    only = (Request.COMPLETE_UPLOAD, Request.COPY) if fault is Fault.ERROR_IN_200 else tuple(Request)
    return [kind for kind in KINDS[app] if kind in only]


def _plans(kinds: Sequence[Request], fault: Fault, chance: random.Random) -> Iterator[list[Rule]]:
    """What is done in one job each: every kind once; in the whole form each kind alone, until the client gives up."""
    yield [Rule(fault, [kind], skip=chance.randrange(2)) for kind in kinds if kind not in AFTER_A_FAILURE]
    for kind in kinds if WHOLE else ():
        if kind in AFTER_A_FAILURE:
            # The client does not ask again after a 403: more of them would refuse the clean-up at the job's end, too.
            times = 1 if fault is Fault.DENIED else ATTEMPTS
            yield [Rule(Fault.DENIED, [Request.UPLOAD_PART], skip=1), Rule(fault, [kind], times=times)]
        else:
            yield [Rule(fault, [kind], times=ATTEMPTS, skip=chance.randrange(3))]


@pytest.mark.parametrize("fault", list(Fault))
def test_requests(bench: Bench, ledger: Ledger, chance: random.Random, fault: Fault) -> None:
    row = ledger.row(f"store: {fault}")
    for app in KINDS if WHOLE or fault in COPIED else ["joined"]:
        for plan in _plans(_kinds(fault, app), fault, chance):
            _one_job(bench, row, app, plan)
    assert row.is_clean, row.faults()


def test_nothing_is_left_after_the_next_job(bench: Bench, ledger: Ledger) -> None:
    row = ledger.row("store: the next job")
    _one_job(bench, row, "joined", [])
    uploads = bench.s3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
    row.left += [f"upload {each['Key']}" for each in uploads]
    row.left += [f"scratch {path.name}" for path in bench.scratch.iterdir()]
    assert row.is_clean, row.faults()


def _one_job(bench: Bench, row: Row, app: str, plan: Sequence[Rule]) -> None:
    wanted = sum(rule.times for rule in plan)
    bench.proxy.rules += plan
    ended, output, left = bench.run(app)
    hits = bench.proxy.clear()
    row.tried += wanted
    row.hit += len(hits)
    row.states.update(hit.kind for hit in hits)
    row.left += left
    if ended.code:
        row.notes.append(f"{app} under {[str(hit.kind) for hit in hits]} ended with {ended.code}: {ended.text[-500:]}")
    row.notes += [f"a traceback: {text[-900:]}" for text in bench.command.tracebacks]
    bench.command.tracebacks.clear()
    row.add_job(len(hits), compare(expected_output(bench.lines), output))
