"""What a chunk took, as Airflow's own StatsD client sends it: read from the socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.statsd_logger import get_statsd_logger

from triptych.airflow.metrics import count_chunk
from triptych.stages.run_pack import ChunkOutcome


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(server.getsockname()[1]))
        logger = get_statsd_logger()
        stats.initialize(factory=lambda: logger, export_legacy_names=False)
        yield server
        logger.statsd.close()
        stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


def test_each_chunk_is_counted_with_its_time_and_its_bytes(sent: socket.socket) -> None:
    count_chunk("words", ChunkOutcome(3, 0.25, None, "", 100, 7))
    count_chunk("words", ChunkOutcome(4, 1.5, "exit code 3", "", 9))
    told = [sent.recv(999).decode() for _ in range(8)]
    assert told[0].startswith("airflow.triptych.chunks.done")
    assert told[4].startswith("airflow.triptych.chunks.failed")
    assert [each.partition(":")[2].partition("|")[0] for each in told] == [
        "1",
        "250.000000",
        "100",
        "7",
        "1",
        "1500.000000",
        "9",
        "0",
    ]
