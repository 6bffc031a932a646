"""The trigger that looks for new files, in Airflow's triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from triptych.errors import TriptychError
from triptych.jobs.locations import read_sources
from triptych.jobs.new_files import Watch
from triptych.settings import get_settings


class NewFilesTrigger(BaseEventTrigger):
    """Looks at a template's sources every so often; an event has the number of a batch that no run has yet.

    What it begins with are the batches that were found before, and taken by no run: the triggerer, or the database,
    may have ended before their event was kept. A store that cannot be asked is asked again at the next look.
    """

    def __init__(self, *, template: str, source: Any, every_s: float) -> None:
        super().__init__()
        self.template = template
        self.source = source
        self.every_s = every_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """By which Airflow makes it again, and knows it."""
        kwargs = {"template": self.template, "source": self.source, "every_s": self.every_s}
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """For ever: Airflow cancels it."""
        (source,) = read_sources(self.source)
        watch: Watch | None = None
        while True:
            told: list[int] = []
            try:
                # A look waits for a store, and asks Airflow for its connection: never in the triggerer's own loop.
                if watch is None:
                    watch = await asyncio.to_thread(Watch, get_settings(), self.template)
                    told += await asyncio.to_thread(watch.waiting)
                if batch := await asyncio.to_thread(watch.look, source):
                    told.append(batch.number)
            except (TriptychError, OSError) as error:
                self.log.warning("%s: new files cannot be looked for now: %s", self.template, error)
            for number in told:
                self.log.info("New files for %s: batch %d.", self.template, number)
                yield TriggerEvent({"template": self.template, "batch": number})
            await asyncio.sleep(self.every_s)
