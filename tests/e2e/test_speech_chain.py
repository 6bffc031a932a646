"""The gallery's chain on a real Airflow: speech is written down, people are taken out of it, and it can be searched.

What is right is known from elsewhere: the sample's transcript by its publisher, and when FFmpeg hears each sentence.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.app_images import APPS, built_image
from triptych.blocks import read_catalog
from triptych.demo.chain import Chain, followers
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
FIRST = "transcribe_passages"
TEST = APPS / "transcribe" / "test"
NAME = {"john", "dashwood"}
QUESTIONS = ("how much can he help them?", "a selfish and unfeeling character", "marriage to a kinder wife")
NEAREST = """
import csv, sys
sys.path.insert(0, "/app")
from main import MiniLM
sentences = list(csv.DictReader(open("/test/expected/utterances.tsv"), delimiter="\\t"))
model = MiniLM(256)
for near in model.encode(sys.argv[1:]) @ model.encode([each["text"] for each in sentences]).T:
    print(near.argmax())
"""
"""The sentence of the transcript that is nearest to each question, of all of them."""


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def _texts(records: Path) -> dict[str, str]:
    """By id."""
    return {each["id"]: each["text"] for each in map(json.loads, records.read_text().splitlines())}


def _asked(index: Path, *command: str) -> list[str]:
    """Lines that a program prints, in the container of the app that made the index."""
    mounts = {index: "/index", APPS / "embed_text" / "app": "/app", TEST: "/test"}
    volumes = [part for path, place in mounts.items() for part in ("--volume", f"{path}:{place}:ro")]
    docker = ["docker", "run", "--rm", "--network", "none", "--label", "triptych.test=e2e", *volumes]
    whole = [*docker, "triptych/embed_text:1.0", "python3", "-B", *command, *QUESTIONS]
    return subprocess.run(whole, check=True, capture_output=True, text=True).stdout.splitlines()


def test_what_is_said_is_found_and_of_whom_is_not(airflow: EmbeddedAirflow, tmp_path: Path) -> None:
    for app in ("transcribe", "redact_pii", "embed_text"):
        built_image(app, tmp_path / app)
    client, out = airflow.client, airflow.home / "speech"
    chained = followers(read_catalog((PROJECT / "include",)).templates, FIRST)
    assert [template.id for template in chained] == ["redact_passages", "index_passages"]
    client.wait_for_dag(FIRST)
    chain = Chain(client, chained)
    sample = TEST / "sense_and_sensibility.flac"
    launched = client.trigger(FIRST, {"dataSource": sample.as_uri(), "dataDestination": f"{out.as_uri()}/"})
    for name, run in chain.runs(FIRST, launched):
        assert client.wait_for_run(name, run) == "success", client.log(name, run, "assemble")
        client.pause(name)

    checked = subprocess.run([sys.executable, "-I", str(TEST / "check.py"), str(out)], check=False, capture_output=True)
    assert checked.returncode == 0, checked.stdout
    said, kept = _texts(out / "passages.jsonl"), _texts(out / "redacted" / "passages.jsonl")
    assert set(kept) == set(said)
    assert _words(" ".join(said.values())) >= NAME
    index = out / "redacted" / "index"
    assert pq.read_table(index / "records.parquet").to_pylist() == [
        {"id": each, "text": text} for each, text in kept.items()
    ]
    assert not _words(" ".join(kept.values())) & NAME
    assert "<PERSON>" in next(iter(kept.values()))
    had = [*airflow.home.glob("workspace/index_passages/**/*"), *index.rglob("*")]
    assert not any(b"ashwood" in path.read_bytes() for path in had if path.is_file())

    with (TEST / "expected" / "utterances.tsv").open(newline="") as file:
        heard = [(float(each["start_s"]), float(each["end_s"])) for each in csv.DictReader(file, delimiter="\t")]
    nearest = [heard[int(each)] for each in _asked(index, "-c", NEAREST)]
    found = _asked(index, "/app/search.py", "/index")
    assert [found[number] for number in range(0, len(found), 6)] == list(QUESTIONS)
    times = [re.search(r"#t=([\d.]+),([\d.]+)  ", found[number]) for number in range(1, len(found), 6)]
    middles = [(float(each[1]) + float(each[2])) / 2 for each in times if each]
    assert [start < at < end for at, (start, end) in zip(middles, nearest, strict=True)] == [True] * len(QUESTIONS)
