"""The jobs that a job's output starts, of templates that are scheduled on it, as Airflow runs them by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from triptych.airflow.rest import AirflowClient, AirflowError, poll
from triptych.blocks import Template

START_S = 300
"""At most until a run is there that an output has started."""


def followers(templates: Sequence[Template], first: str) -> list[Template]:
    """Those that the outputs of the template `first` start, and those that theirs do; the nearest come first.

    Not those that wait for another output, too.
    """
    by_id = {template.id: template for template in templates}
    found = [first]
    for each in found:  # It grows.
        started = (template.id for template in templates if template.schedule == [f"{each}.output"])
        found += [name for name in started if name not in found]
    return [by_id[name] for name in found[1:]]


class Chain:
    """Templates that follow another, unpaused, so that what it makes starts them."""

    def __init__(self, client: AirflowClient, templates: Sequence[Template]) -> None:
        self._client = client
        self._before: Mapping[str, set[str]] = {template.id: self._open(template.id) for template in templates}

    def runs(self, first: str, run_id: str) -> Iterator[tuple[str, str]]:
        """That run of the first template, then of each other the one that has been started. AirflowError where none is.

        Each is to have ended before the next is asked for.
        """
        yield first, run_id
        for name, before in self._before.items():
            if not poll(partial(self._has_begun, name, before), START_S, 1.0):
                msg = f"No run of {name} was started within {START_S} s."
                raise AirflowError(msg)
            yield name, min(self._runs(name) - before)

    def _has_begun(self, name: str, before: set[str]) -> bool:
        return bool(self._runs(name) - before)

    def _open(self, name: str) -> set[str]:
        self._client.wait_for_dag(name)
        self._client.pause(name, paused=False)
        return self._runs(name)

    def _runs(self, name: str) -> set[str]:
        return {run["dag_run_id"] for run in self._client.runs(name)}
