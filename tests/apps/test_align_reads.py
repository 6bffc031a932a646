"""`align_reads` beside Bowtie 2's own figures for its lambda example. (Its samples: `test_samples.py`.)"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.apps.conftest import App

EXAMPLES = Path("/usr/share/doc/bowtie2/examples")
"""Of Debian's package bowtie2-examples."""
IN_ONE_PROCESS = {"reads": 10_000, "unaligned": 596, "aligned_once": 9_404, "aligned_more": 0}
"""Of the lambda example's first reads, as Bowtie 2.5.0 itself says (`bowtie2 -U`) of all of them in one process."""

needs_examples = pytest.mark.skipif(
    not (EXAMPLES / "reads" / "reads_1.fq.gz").exists(), reason="no bowtie2-examples: apt-get install bowtie2-examples"
)


def _bowtie2(image: str, folder: Path, *command: str) -> None:
    options = ["--rm", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}", "--label", "triptych.test=apps"]
    mounted = ["--volume", f"{folder}:/work", "--workdir", "/work"]
    subprocess.run(["docker", "run", *options, *mounted, image, *command], check=True, capture_output=True)


def _index(image: str, reference: Path, folder: Path) -> Path:
    """The reference's index, in a folder of its own, as a user makes it."""
    (folder / "index").mkdir()
    packed = reference.suffix == ".gz"
    (folder / "reference.fa").write_bytes(gzip.decompress(reference.read_bytes()) if packed else reference.read_bytes())
    _bowtie2(image, folder, "bowtie2-build", "--quiet", "reference.fa", "index/genome")
    return folder / "index"


def _sam(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Header and records; a header line among the records is one of these."""
    count = next((number for number, line in enumerate(lines) if not line.startswith("@")), len(lines))
    return list(lines[:count]), list(lines[count:])


@needs_examples
def test_the_lambda_example_is_what_one_process_makes_of_it(
    run_app: App, image: Callable[[str], str], tmp_path: Path
) -> None:
    built = image("align_reads")
    index = _index(built, EXAMPLES / "reference" / "lambda_virus.fa.gz", tmp_path)
    reads = [EXAMPLES / "reads" / "reads_1.fq.gz", EXAMPLES / "reads" / "reads_2.fq.gz"]
    output = run_app("align_reads", reads, "--input", f"index={index}/", "-p", "partitioner.items_per_chunk=4000")
    for number, path in enumerate(reads, 1):
        (tmp_path / f"{number}.fq").write_bytes(gzip.decompress(path.read_bytes()))
    _bowtie2(built, tmp_path, "bowtie2", "-x", "index/genome", "-1", "1.fq", "-2", "2.fq", "-S", "whole.sam")
    header, records = _sam((output / "aligned.sam").read_text().splitlines())
    whole_header, whole = _sam((tmp_path / "whole.sam").read_text().splitlines())
    assert len(records) == 20_000
    assert records == whole
    assert header[:2] == whole_header[:2]
    assert len(header) == len(whole_header) == 3


@needs_examples
def test_counts_of_the_lambda_example_are_bowtie_2s_own(
    run_app: App, image: Callable[[str], str], tmp_path: Path
) -> None:
    index = _index(image("align_reads"), EXAMPLES / "reference" / "lambda_virus.fa.gz", tmp_path)
    options = ["--input", f"index={index}/", "-p", "partitioner.paired=no", "-p", "partitioner.items_per_chunk=4000"]
    output = run_app("align_counts", [EXAMPLES / "reads" / "reads_1.fq.gz"], *options)
    counts = json.loads((output / "reduced.json").read_text())
    assert {name: counts[name]["sum"] for name in IN_ONE_PROCESS} == IN_ONE_PROCESS
