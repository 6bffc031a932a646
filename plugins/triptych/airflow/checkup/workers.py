"""The workers of the executor that our tasks go to, asked and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow.sdk.configuration import conf

from triptych.airflow.checkup.celery_workers import CELERY, ask_celery
from triptych.airflow.checkup.edge_workers import EDGE, ask_edge
from triptych.airflow.checkup.live_workers import NotAskedError, judged
from triptych.blocks import Catalog
from triptych.checkup import Finding
from triptych.settings import Settings


def check_workers(settings: Settings, catalog: Catalog, pools: Mapping[str, int] | None) -> Iterator[Finding]:
    """Whether what is launched now would be taken by a worker; nothing of executors that have none of their own.

    `pools` are the slots of those that apps run in; None where they could not be told.
    """
    executor = str(conf.get("core", "executor", fallback="")).split(",")[0]
    for word, kind, ask in (("Celery", CELERY, ask_celery), ("Edge", EDGE, ask_edge)):
        if word in executor:
            try:
                live = ask()
            except NotAskedError as error:
                yield error.finding
                return
            yield from judged(live, kind, settings, catalog, pools or {})
            return
