"""What each chunk took, to Airflow's own metrics (StatsD, OpenTelemetry, Datadog), as its configuration sends them."""

from __future__ import annotations

from airflow.sdk.observability import stats

from triptych.stages.run_pack import ChunkOutcome


def count_chunk(dag_id: str, outcome: ChunkOutcome) -> None:
    """One chunk that has ended: `triptych.chunks.done` or `.failed`, its time, its bytes; tagged with the DAG's id."""
    tags = {"dag_id": dag_id}
    stats.incr(f"triptych.chunks.{'failed' if outcome.error else 'done'}", tags=tags)
    stats.timing("triptych.chunk.duration", outcome.seconds * 1000, tags=tags)
    stats.incr("triptych.bytes.in", outcome.bytes_in, tags=tags)
    stats.incr("triptych.bytes.out", outcome.bytes_out, tags=tags)
